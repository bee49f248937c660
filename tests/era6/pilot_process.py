"""A real pilot, and whoever has joined it: for tests."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from pathlib import Path

from era5_sidecar.certificates import Pair, key_in_pem
from era6_control_plane import pilot_link, requests_to_sign
from era6_control_plane.mesh_client import ControlPlane
from era6_control_plane.talk import Mode
from era6_control_plane.words import Application
from tests.era6.roles import hear
from tests.era6.xds_client import talking_over

ANYWHERE = {"nodes": "https://127.0.0.1:0", "join": "https://127.0.0.1:0"}
INTENT = """\
[services.orders]
is_edge = true
[[services.orders.may]]
callers = ["*"]
method = "*"
path = "/"
[services.inventory]
versions = ["v1", "v2"]
[[services.inventory.may]]
callers = ["orders"]
method = "GET"
path = "/"
"""


class PilotProcess:
    """One after the other in one state folder, at the same addresses."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.state = folder, folder / "state"
        self.at = ANYWHERE | {"operator": f"unix:{folder}/operator"}
        self.said: list[str] = []
        self.process = None
        self._hearing = None
        (folder / "intent.toml").write_text(INTENT)

    async def start(self) -> None:
        """Returns when it is ready."""
        ports = [part for name, url in self.at.items() for part in (f"--{name}", url)]
        more = ["--state", str(self.state), "--intent", str(self.folder / "intent.toml")]
        self.process = await hear("pilot", *more, *ports)
        self._hearing = asyncio.ensure_future(self._hear())
        while line := (await asyncio.wait_for(self.process.stdout.readline(), 20)).decode():
            if " listens " in line:
                self.at = dict(part.split("=", 1) for part in line.split()[2:])
            if " ready " in line:
                return
        await self._hearing  # or what it said last may be on its way
        raise AssertionError(self.said)

    async def stop(self, kill: bool = False) -> int:
        """The exit code."""
        if kill:
            self.process.kill()
        elif self.process.returncode is None:
            self.process.terminate()
        code = await asyncio.wait_for(self.process.wait(), 10)
        await self._hearing
        return code

    async def ask(self, method, path, body=None):
        """What the operator's interface answers. Raises mesh_client.Refused."""
        there = ControlPlane(self.at["operator"], str(self.state / "operator.token"))
        return await asyncio.to_thread(there.ask, method, path, body)

    async def apply(self, text):
        return await self.ask("PUT", "/intent", {"text": text, "who": "test"})

    async def status(self, revision=0):
        wait = f"?wait={revision}&within_s=5" if revision else ""
        return await self.ask("GET", f"/status{wait}")

    def believed(self) -> bytes:
        return (self.state / "citadel" / "authorities.pem").read_bytes()

    async def join(self, service: str, instance: str) -> Pair:
        """Key and certificate of an instance, as an agent gets them."""
        asked = {"service": service, "instance": instance, "life_s": 60}
        token = (await self.ask("POST", "/tokens", asked))["token"]
        key = requests_to_sign.new_key()
        csr = requests_to_sign.request(key).decode()
        application = Application(token, service, instance, csr)
        grant = await pilot_link.join(self.at["join"], self.believed(), application)
        return Pair(grant.certificate.encode(), key_in_pem(key))

    @asynccontextmanager
    async def talking(self, shown: Pair, mode=Mode.DELTA):
        """A stream of ADS, as whom the certificate names."""
        async with (
            pilot_link.channel(self.at["nodes"], self.believed(), shown) as channel,
            talking_over(channel, mode) as talk,
        ):
            yield talk

    async def _hear(self) -> None:
        while line := (await self.process.stderr.readline()).decode():
            self.said.append(line.rstrip().removeprefix("pilot: "))


@asynccontextmanager
async def pilot(folder: Path):
    """One that is ready; ended at the end of the block."""
    made = PilotProcess(folder)
    try:
        await made.start()
        yield made
    finally:
        if made.process and made.process.returncode is None:
            await made.stop(kill=True)


def describe(instance, service, inbound=15006, outbound=15001):
    """The node message's fields."""
    fields = {
        "version": "",
        "inbound": f"http://127.0.0.1:{inbound}",
        "outbound": f"http://127.0.0.1:{outbound}",
        "app": "http://127.0.0.1:8000",
        "kind": "sidecar",
    }
    return {"id": instance, "cluster": service, "metadata": fields}
