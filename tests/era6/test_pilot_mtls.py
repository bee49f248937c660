"""A whole node with a real Envoy: its agent, its certificates, and the pilot's port behind mTLS."""

import asyncio
import time
from contextlib import asynccontextmanager

import pytest

from tests.era6.pilot_process import INTENT, pilot
from tests.era6.real_envoy import backend, binary
from tests.era6.roles import hear
from tests.ports import free_port

PATIENCE_S = 20.0
NODE = """\
service = "inventory"
instance = "inventory-1"
version = "v1"
app = "http://127.0.0.1:{app}"
admin_listen = "http://127.0.0.1:{admin}"
data_plane = "{data_plane}"
[inbound]
listen = "http://127.0.0.1:{inbound}"
heartbeat_s = 0.2
health_every_s = 0.2
[pilot]
nodes = "{nodes}"
join = "{join}"
authorities = "authorities.pem"
token = "token"
[agent]
socket = "unix:sockets/agent.sock"
state = "agent"
"""


@asynccontextmanager
async def role(name, folder):
    """A process of this node; gives what it said, a list that grows."""
    process = await hear(name, "--config", str(folder / "node.toml"))
    said = []

    async def note(reader):
        while line := (await reader.readline()).decode():
            said.append(line.rstrip())

    hearing = asyncio.gather(note(process.stdout), note(process.stderr))
    try:
        yield said
    finally:
        if process.returncode is None:
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), 10)
        except TimeoutError:
            process.kill()
            await process.wait()
        hearing.cancel()


async def until(look, said):
    end = time.monotonic() + PATIENCE_S
    while not (found := await look()):
        assert time.monotonic() < end, said
        await asyncio.sleep(0.02)
    return found


@pytest.mark.parametrize("data_plane", ["envoy", "python"])
def test_a_node_joins_is_told_and_is_told_to_others(data_plane, tmp_path):
    if data_plane == "envoy":
        binary()

    async def test():
        async with pilot(tmp_path) as there, backend(b"a") as app:
            asked = {"service": "inventory", "instance": "inventory-1", "life_s": 60}
            token = (await there.ask("POST", "/tokens", asked))["token"]
            folder = tmp_path / "node"
            folder.mkdir()
            (folder / "token").write_text(token)
            (folder / "token").chmod(0o600)
            (folder / "authorities.pem").write_bytes(there.believed())
            ports = {"inbound": free_port(), "admin": free_port()}
            text = NODE.format(app=app, data_plane=data_plane, **ports, **there.at)
            (folder / "node.toml").write_text(text)
            async with role("agent", folder) as said, role("sidecar", folder) as also:
                await check(there, data_plane, ports, [said, also, there.said])

    asyncio.run(asyncio.wait_for(test(), 60))


async def check(there, data_plane, ports, said):
    async def known():
        told = await there.status()
        return told if told["endpoints"] and told["nodes"] else None

    (endpoint,) = (await until(known, said))["endpoints"]
    assert endpoint["url"] == f"http://127.0.0.1:{ports['inbound']}"
    told = await there.apply(INTENT.replace("versions", "most_in_flight = 9\nversions"))
    status = await there.status(told["revision"])
    (node,) = status["nodes"]
    assert status["is_settled"], status
    assert (node["data_plane"], node["connected"]) == (data_plane, True)
    for each in node["types"].values():
        assert each["desired"] == each["acknowledged"] and each["refused"] is None
