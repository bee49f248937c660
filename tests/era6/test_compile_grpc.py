"""A third reader of what is compiled, written by nobody of us: gRPC's own client of xDS, which
refuses what it does not understand.
"""

import asyncio
import json
import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator

import grpc
import pytest

from era5_sidecar.config import ClientConfig
from era5_sidecar.config_inbound import ANYONE, Rule
from era6_control_plane.compile import compile
from era6_control_plane.intent import FaultIntent, Intent, RouteIntent, ServiceIntent
from era6_control_plane.membership import Endpoint
from era6_control_plane.names import CDS, EDS, LDS, RDS
from era6_control_plane.snapshot import Snapshot
from era6_control_plane.xds import OPTIONS, Caller, DiscoveryServer
from tests.era6.intents import GRPC, shop
from tests.era6.validate import unpacked

PATIENCE_S = 30.0
ANYBODY = Caller(GRPC.id, GRPC.service, until_s=2.0**40)
SWITCH = "switch"  # of what the client writes: now change something, and say who answers then
CLIENT = """
import sys, grpc
rounds, tester, enough, last = int(sys.argv[1]), sys.argv[2], 20, ""
ask = grpc.insecure_channel("xds:///inventory").unary_unary("/shop.Inventory/Who")
for number in range(rounds):
    if tester == "switch" and number == 1:
        print("switch", flush=True)
        last = sys.stdin.readline().strip()
    try:
        answer = ask(b"", timeout=20, metadata=[("x-tester", tester)]).decode()
        print(answer, flush=True)
        enough -= answer == last
        if not enough:
            break
    except grpc.RpcError as error:
        print(error.code().name, error.details(), flush=True)
"""


class Mesh:
    """A control plane without locks on its doors, and three services behind it; in a thread."""

    def __init__(self) -> None:
        self.snapshot = Snapshot()
        self.said: list[str] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._run(self._begin())

    async def _begin(self) -> None:
        self._discovery = DiscoveryServer(
            lambda _: self.snapshot, lambda *_: ANYBODY, self.said.append
        )
        self._servers = [grpc.aio.server(options=OPTIONS)]
        self._discovery.add_ads(self._servers[0])
        self.port = self._servers[0].add_insecure_port("127.0.0.1:0")
        self.there = []
        for instance, version in (("inventory-1", "v1"), ("inventory-2", "v1"), ("extra", "v2")):
            server = grpc.aio.server()
            server.add_generic_rpc_handlers((_who(instance),))
            port = server.add_insecure_port("127.0.0.1:0")
            url = f"http://127.0.0.1:{port}"
            self.there.append(Endpoint("inventory", instance, version, url))
            self._servers.append(server)
        for server in self._servers:
            await server.start()

    def tell(self, intent: Intent) -> None:
        """From now on this is what holds."""

        async def push() -> None:
            self.snapshot = compile(intent, self.there, GRPC)
            self._discovery.push()

        self._run(push())

    def client(self, rounds: int, tester: str = "no") -> "subprocess.Popen[str]":
        """gRPC's, in a process: it reads what it is told by the environment once."""
        server = {"server_uri": f"127.0.0.1:{self.port}", "channel_creds": [{"type": "insecure"}]}
        told = {
            "xds_servers": [server | {"server_features": ["xds_v3"]}],
            "node": {"id": GRPC.id, "cluster": GRPC.service, "metadata": {"kind": GRPC.kind}},
        }
        environment = {
            **os.environ,
            "GRPC_XDS_BOOTSTRAP_CONFIG": json.dumps(told),
            "GRPC_VERBOSITY": "NONE",
        }
        command = [sys.executable, "-c", CLIENT, str(rounds), tester]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        return subprocess.Popen(command, env=environment, text=True, **pipes)  # type: ignore[call-overload,no-any-return]

    def ask(self, rounds: int, tester: str = "no") -> Counter[str]:
        """What so many questions were answered with."""
        with self.client(rounds, tester) as process:
            told, _ = process.communicate(timeout=PATIENCE_S)
        return Counter(told.splitlines())

    def close(self) -> None:
        self._run(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _end(self) -> None:
        await self._discovery.stop()
        for server in self._servers:
            await server.stop(0)

    def _run(self, work):
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE_S)


def _who(name: str) -> grpc.GenericRpcHandler:
    async def answer(request: bytes, context: object) -> bytes:
        return name.encode()

    handler = grpc.unary_unary_rpc_method_handler(answer)
    return grpc.method_handlers_generic_handler("shop.Inventory", {"Who": handler})


def intent(*routes: RouteIntent) -> Intent:
    may = (Rule(("orders",), ANYONE, "/"),)
    patient = ClientConfig(deadline_s=20.0)
    inventory = ServiceIntent(versions=("v1", "v2"), may=may, routes=routes, client=patient)
    return Intent({"orders": ServiceIntent(), "inventory": inventory})


@pytest.fixture(scope="module")
def mesh() -> Iterator[Mesh]:
    mesh = Mesh()
    yield mesh
    mesh.close()


def test_all_instances_are_asked(mesh):
    mesh.tell(intent())
    assert set(mesh.ask(30)) == {"inventory-1", "inventory-2", "extra"}


def test_weights_and_headers_are_kept(mesh):
    canary = RouteIntent({"X-Tester": "yes"}, to={"v2": 100})
    mesh.tell(intent(canary, RouteIntent(to={"v1": 90, "v2": 10})))
    assert 0 < mesh.ask(200)["extra"] < 50
    assert mesh.ask(10, "yes") == {"extra": 10}


def test_a_fault_is_made(mesh):
    mesh.tell(intent(RouteIntent(fault=FaultIntent(abort_status=503))))
    assert mesh.ask(5) == {"UNAVAILABLE Fault injected": 5}


def test_a_path_chooses_and_routes_for_other_methods_do_not(mesh):
    reading = RouteIntent(method="GET", path="/shop.Inventory/", to={"v1": 100})
    mesh.tell(intent(reading, RouteIntent(path="/shop.Inventory/", to={"v2": 100}, attempts=1)))
    assert mesh.ask(5) == {"extra": 5}


def test_a_change_reaches_a_client_that_runs(mesh):
    mesh.tell(intent(RouteIntent(to={"v1": 100, "v2": 0})))
    with mesh.client(2000, SWITCH) as process:
        assert process.stdin and process.stdout
        assert process.stdout.readline().startswith("inventory-")
        assert process.stdout.readline().strip() == SWITCH
        mesh.tell(intent(RouteIntent(to={"v1": 0, "v2": 100})))
        print("extra", file=process.stdin, flush=True)
        told = [line.strip() for line in process.stdout]
    assert told[-1] == "extra"
    assert set(told) <= {"inventory-1", "inventory-2", "extra"}  # nothing failed


def test_it_refused_nothing(mesh):
    """The last claim: whatever it was told before, it took."""
    assert not [line for line in mesh.said if "refuse" in line]


def test_it_is_told_of_those_whom_it_may_call_and_of_no_certificates():
    snapshot = compile(shop(), (), GRPC)
    assert list(snapshot.of(LDS)) == ["inventory"]
    assert not compile(shop(may=()), (), GRPC).of(LDS)
    for kind in (LDS, RDS, CDS, EDS):
        for each in snapshot.of(kind).values():
            assert b"tls" not in unpacked(each).SerializeToString()
