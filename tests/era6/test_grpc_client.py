"""gRPC's own client of xDS, as a third reader, at the pilot's own port with a certificate (its
proposal A65); what it makes of compiled resources is in test_compile_grpc.py.
"""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections import Counter
from contextlib import asynccontextmanager

import grpc
import pytest
from envoy.config.listener.v3.listener_pb2 import Listener

from era6_control_plane import pilot_link
from era6_control_plane.names import LDS
from era6_control_plane.snapshot import Resource, Snapshot
from era6_control_plane.words import Heartbeat
from tests.era6.pilot_process import INTENT, describe, pilot
from tests.era6.xds_client import serving

CALLS = 20
HEARTBEAT_S = 0.3
CLIENT = f"""
import sys, grpc
ask = grpc.insecure_channel("xds:///inventory").unary_unary("/shop.Inventory/Who")
while sys.stdin.readline():
    for _ in range({CALLS}):
        try:
            print(ask(b"", timeout=10).decode())
        except grpc.RpcError as error:
            print(error.code().name, error.details().splitlines()[0])
    print("done", flush=True)
"""
ROUTED = INTENT + "[[services.inventory.routes]]\nto = { v1 = 0, v2 = 100 }\n"


@asynccontextmanager
async def who(name):
    """A gRPC service that says its name; gives its port."""

    async def answer(request, context):
        return name.encode()

    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    handlers = {"Who": grpc.unary_unary_rpc_method_handler(answer)}
    handler = grpc.method_handlers_generic_handler("shop.Inventory", handlers)
    server.add_generic_rpc_handlers((handler,))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield port
    finally:
        await server.stop(0)


class Client:
    """A process that calls when it is told to."""

    def __init__(self, process):
        self._process = process

    async def answers(self):
        self._process.stdin.write(b"go\n")
        said = Counter()
        while (line := (await self._process.stdout.readline()).decode().strip()) != "done":
            assert line, (await self._process.stderr.read()).decode()
            said[line] += 1
        return said


@asynccontextmanager
async def client(folder, uri, credentials, node, within=()):
    """within: a command that ends in the program to run."""
    server = {"server_uri": uri, "channel_creds": [credentials], "server_features": ["xds_v3"]}
    (folder / "client.json").write_text(json.dumps({"xds_servers": [server], "node": node}))
    (folder / "client.py").write_text(CLIENT)
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *within,
        *(sys.executable, str(folder / "client.py")),
        env={**os.environ, "GRPC_XDS_BOOTSTRAP": str(folder / "client.json")},
        stdin=pipe,
        stdout=pipe,
        stderr=pipe,
    )
    try:
        yield Client(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def where_pilot_has_an_address(folder):
    """gRPC cannot be told by which other name it knows a server: so a name space has it."""
    (folder / "hosts").write_text("127.0.0.1 localhost pilot\n")
    mount = f'mount --bind {folder}/hosts /etc/hosts && exec "$@"'
    command = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mount, "sh"]
    try:
        subprocess.run([*command, "true"], check=True, capture_output=True, timeout=10)
    except (OSError, subprocess.SubprocessError) as error:
        pytest.skip(f"no user namespace: {error}")
    return command


@asynccontextmanager
async def attended(there, instance, port, version):
    """Its agent says that it is there."""
    shown = await there.join("inventory", instance)
    async with pilot_link.channel(there.at["nodes"], there.believed(), shown) as opened:
        attending = pilot_link.Attending(opened)

        async def beat():
            while True:
                url = f"http://127.0.0.1:{port}"
                await attending.say(Heartbeat(url=url, version=version, is_well=True))
                await asyncio.sleep(HEARTBEAT_S)  # a lease is renewed in time: nobody waits for it

        beating = asyncio.ensure_future(beat())
        try:
            while instance not in str((await there.status())["endpoints"]):
                await asyncio.sleep(0.02)
            yield
        finally:
            beating.cancel()


def test_it_shows_its_certificate_shares_its_calls_out_and_follows_a_change(tmp_path):
    within = where_pilot_has_an_address(tmp_path)

    async def test():
        async with (
            pilot(tmp_path) as there,
            who("one") as one,
            who("two") as two,
            attended(there, "inventory-1", one, "v1"),
            attended(there, "inventory-2", two, "v2"),
        ):
            shown = await there.join("orders", "orders-1")
            files = {"key": shown.key, "certificate": shown.certificate, "ca": there.believed()}
            for name, content in files.items():
                (tmp_path / name).write_bytes(content)
            credentials = {
                "type": "tls",
                "config": {
                    "certificate_file": str(tmp_path / "certificate"),
                    "private_key_file": str(tmp_path / "key"),
                    "ca_certificate_file": str(tmp_path / "ca"),
                },
            }
            node = describe("orders-1", "orders")
            node["metadata"]["kind"] = "proxyless"
            uri = f"pilot:{there.at['nodes'].rpartition(':')[2]}"
            async with client(tmp_path, uri, credentials, node, within) as asking:
                said = await asking.answers()
                assert said.keys() == {"one", "two"}, said
                assert abs(said["one"] - said["two"]) <= CALLS / 5, said
                told = await there.apply(ROUTED)
                status = await there.status(told["revision"])
                assert status["is_settled"], status
                assert [each["data_plane"] for each in status["nodes"]] == ["grpc"]
                assert await asking.answers() == {"two": CALLS}

    asyncio.run(asyncio.wait_for(test(), 90))


def test_what_it_refuses_is_seen_with_its_words(tmp_path):
    async def test():
        snapshot = Snapshot([Resource.pack("inventory", Listener(name="inventory"))])
        async with serving(lambda _: snapshot) as (discovery, at, said):
            node = {"id": "orders-1", "cluster": "orders"}
            async with client(tmp_path, at, {"type": "insecure"}, node) as asking:
                assert len(await asking.answers()) >= 1
                until = time.monotonic() + 10
                while not said:
                    assert time.monotonic() < until, "no refusal came"
                    await asyncio.sleep(0.01)
                assert "orders-1 refuses LDS" in said[0]
                talk = discovery.conversations()["orders/orders-1"]
                assert talk.stream.progress(snapshot)[LDS].refused

    asyncio.run(asyncio.wait_for(test(), 90))
