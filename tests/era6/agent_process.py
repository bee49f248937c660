"""A real agent beside an application and a proxy that a test plays: for tests."""

import asyncio
import time
from contextlib import asynccontextmanager, suppress

import grpc
from envoy.extensions.transport_sockets.tls.v3.secret_pb2 import Secret
from envoy.service.discovery.v3 import ads_pb2_grpc, discovery_pb2
from envoy.service.secret.v3 import sds_pb2_grpc

from era6_control_plane.identity import named_in
from era6_control_plane.names import AUTHORITIES, OWN_CERTIFICATE, SDS
from tests.era6.join_server import running
from tests.era6.roles import hear

INBOUND = "http://127.0.0.1:15006"
NODE = """\
service = "inventory"
instance = "inventory-1"
version = "v1"
app = "unix:app.sock"
admin_listen = "http://127.0.0.1:0"
[inbound]
listen = "http://127.0.0.1:0"
heartbeat_s = 0.1
health_every_s = 0.1
[pilot]
nodes = "{nodes}"
join = "{join}"
authorities = "authorities.pem"
token = "token"
[agent]
socket = "unix:sockets/agent.sock"
state = "state"
"""


class Beside:
    """One instance's folder, its application, and its agent, which may be started again."""

    def __init__(self, folder):
        self.folder = folder
        self.app_status = 200
        self.said = []
        self._process = None
        self._hearing = None

    def write(self, pilot, token=None, nodes=None):
        text = NODE.format(nodes=nodes or pilot.nodes, join=pilot.join)
        (self.folder / "node.toml").write_text(text)
        (self.folder / "authorities.pem").write_bytes(pilot.citadel.authorities())
        if token:
            (self.folder / "token").write_text(f"{token}\n")

    async def start(self):
        self._process = await hear("agent", "--config", str(self.folder / "node.toml"))
        self._hearing = asyncio.create_task(self._hear())

    async def start_under(self, pilot, nodes=None):
        """With a token of this control plane's; returns when it has joined."""
        self.write(pilot, pilot.token(), nodes)
        await self.start()
        await self.ready()

    async def ready(self):
        line = await self._process.stdout.readline()
        assert line.decode() == f"agent ready at unix:{self.folder}/sockets/agent.sock\n", self.said

    async def kill(self):
        self._process.kill()
        await self._ended()

    async def stop(self):
        self._process.terminate()
        return await self._ended()

    async def end(self):
        if self._process and self._process.returncode is None:
            await self.kill()

    def has_said(self, words):
        return any(words in line for line in self.said)

    async def answer(self, reader, writer):
        with suppress(OSError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(f"HTTP/1.0 {self.app_status} X\r\nContent-Length: 0\r\n\r\n".encode())
            await writer.drain()
        writer.close()

    async def _ended(self):
        status = await self._process.wait()
        await self._hearing
        return status

    async def _hear(self):
        while line := await self._process.stderr.readline():
            self.said.append(line.decode())


class Proxy:
    """The stream of a proxy that asks for both secrets, in one of four ways."""

    def __init__(self, channel, way="sds whole", inbound=INBOUND):
        service, self.mode = way.split()
        stub = sds_pb2_grpc.SecretDiscoveryServiceStub
        names = {"whole": "StreamSecrets", "delta": "DeltaSecrets"}
        if service == "ads":
            stub = ads_pb2_grpc.AggregatedDiscoveryServiceStub
            names = {"whole": "StreamAggregatedResources", "delta": "DeltaAggregatedResources"}
        self._call = getattr(stub(channel), names[self.mode])()
        self._inbound = inbound
        self.secrets = {}

    async def ask(self):
        wanted = [OWN_CERTIFICATE, AUTHORITIES]
        if self.mode == "whole":
            asked = discovery_pb2.DiscoveryRequest(type_url=SDS, resource_names=wanted)
        else:
            asked = discovery_pb2.DeltaDiscoveryRequest(
                type_url=SDS, resource_names_subscribe=wanted
            )
        asked.node.id, asked.node.cluster = "inventory-1", "inventory"
        asked.node.metadata["inbound"] = self._inbound
        await self._call.write(asked)
        await self.hear()
        return self

    def end(self):
        self._call.cancel()

    async def hear(self):
        answer = await self._call.read()
        assert answer is not grpc.aio.EOF
        for each in answer.resources:
            secret = Secret()
            (each.resource if self.mode == "delta" else each).Unpack(secret)
            self.secrets[secret.name] = secret
        kind = discovery_pb2.DiscoveryRequest
        if self.mode == "delta":
            kind = discovery_pb2.DeltaDiscoveryRequest
        accepted = kind(type_url=SDS, response_nonce=answer.nonce)
        if self.mode == "whole":
            accepted.version_info = answer.version_info
            accepted.resource_names.extend([OWN_CERTIFICATE, AUTHORITIES])
        await self._call.write(accepted)

    @property
    def certificate(self):
        return self.secrets[OWN_CERTIFICATE].tls_certificate.certificate_chain.inline_bytes

    @property
    def key(self):
        return self.secrets[OWN_CERTIFICATE].tls_certificate.private_key.inline_bytes

    @property
    def authorities(self):
        return self.secrets[AUTHORITIES].validation_context.trusted_ca.inline_bytes

    @property
    def peer(self):
        return named_in(self.certificate)


@asynccontextmanager
async def pilot_at(folder, nodes=0, join=0, life_s=3600.0):
    """One that runs on real time."""
    async with running(folder, time.time, time.monotonic, life_s, nodes, join) as pilot:
        looking = asyncio.create_task(pilot.enrolment.run())
        try:
            yield pilot
        finally:
            looking.cancel()


class Relay:
    """Passes bytes on while it may, and holds them otherwise."""

    def __init__(self, port):
        self._port = port
        self.url = ""
        self.passes = asyncio.Event()
        self.passes.set()

    async def serve(self, reader, writer):
        there, back = await asyncio.open_connection("127.0.0.1", self._port)
        await asyncio.gather(self._pass(reader, back), self._pass(there, writer))

    async def _pass(self, reader, writer):
        with suppress(OSError):
            while chunk := await reader.read(65536):
                await self.passes.wait()
                writer.write(chunk)
                await writer.drain()
        writer.close()


@asynccontextmanager
async def relay_to(port):
    relay = Relay(port)
    server = await asyncio.start_server(relay.serve, "127.0.0.1", 0)
    relay.url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield relay
    finally:
        server.close()


@asynccontextmanager
async def beside(folder):
    """An application that answers, and room for an agent; ended in any case."""
    folder.mkdir()
    made = Beside(folder)
    server = await asyncio.start_unix_server(made.answer, str(folder / "app.sock"))
    try:
        yield made
    finally:
        await made.end()
        server.close()


def channel_to(made):
    return grpc.aio.insecure_channel(
        f"unix:{made.folder}/sockets/agent.sock",
        options=[("grpc.use_local_subchannel_pool", 1)],
    )


@asynccontextmanager
async def proxy_of(made):
    """One that has been told both secrets, until the end of the block."""
    async with channel_to(made) as channel:
        yield await Proxy(channel).ask()


async def until(holds, within_s=15.0):
    async with asyncio.timeout(within_s):
        while not holds():
            await asyncio.sleep(0.01)
