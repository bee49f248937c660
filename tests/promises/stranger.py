"""Someone else on the network: reads what passes, sends it again, asks for things."""

import json
import re
import socket
import struct
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lab.find import child_environment
from lab.stage import Stage
from lab.wire.divert import MARK
from tests.promises.credentials import NOBODY, Credential
from tests.promises.forge import next_request
from tests.promises.sidecars import beside
from tests.promises.web import Answer, Request, exchange, with_token

ENHANCED_PACKET = 6  # pcapng, section 4.3
IP_AND_UDP_BYTES = 28  # what the capture puts before a datagram of the portable form
ASKING_S = 20.0

# Inside orders' host: raw IPv4 packets, sent as they are. The kernel keeps the source address. He
# whom we play is on the path, where no rule of that host's holds: hence the mark (SO_MARK).
SEND_RAW = f"""
import json, socket, sys
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
raw.setsockopt(socket.SOL_SOCKET, 36, {MARK})
for frame in json.load(sys.stdin):
    raw.sendto(bytes.fromhex(frame), ("10.7.0.2", 0))
"""

# The era's own transport, in a process that is no service of the shop.
ASK = """
import importlib, json, sys
package, address, request, times = sys.argv[1:]
caller = importlib.import_module(package + ".transport").Caller(address)
print(json.dumps([caller.call(json.loads(request)) for _ in range(int(times))]), flush=True)
caller.close()
"""


class Stranger:
    """Sits on the path of one stage. What it reads, it reads in the wire's capture."""

    def __init__(self, stage: Stage, capture: Path | None) -> None:
        self.stage = stage
        self.capture = capture

    def frames_of_orders(self) -> list[bytes]:
        """All that orders has put on the wire so far, as it went over it."""
        assert self.capture, "this trouble is one of packets: see Promise.trouble"
        frames = [frame for end, frame in packets(self.capture.read_bytes()) if end == 0]
        bare = self.stage.form == "portable"
        return [frame[IP_AND_UDP_BYTES:] if bare else frame for frame in frames]

    def send(self, frames: list[bytes]) -> None:
        """Put frames on the wire, from orders' side, byte for byte."""
        if self.stage.form == "real":
            self._run([sys.executable, "-c", SEND_RAW], json.dumps([f.hex() for f in frames]))
            return
        host, port = address_in(self.stage.wire.address_for_orders)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as anywhere:
            for frame in frames:
                anywhere.sendto(frame, (host, port))

    def forge(self, swap: tuple[bytes, bytes], guess: int | None = None) -> None:
        """Send what orders would send next if it asked what it asked last, for another order."""
        seen, scheme = self.frames_of_orders(), self.stage.era.schemes[self.stage.form]
        is_ip, port = self.stage.form == "real", 0
        if self.stage.era.speaks_http:
            port = address_in(self._door_of(self.stage.instances[0]))[1]
        self.send([next_request(seen, scheme, is_ip, swap, guess, port)])

    def ask(
        self, request: dict[str, Any], shown: Credential = NOBODY, instance: str = ""
    ) -> Answer:
        """Ask inventory, or this instance of it, as orders would, without being orders.

        What eras before HTTP have no place for, as `token`, is a member of the message.
        """
        if not self.stage.era.speaks_http:
            named = {"token": shown.token} if shown.token else {}
            return self.ask_often(request | named, 1)[0]
        return self.over_http(instance or self.stage.instances[0], *as_http(request), shown)

    def ask_often(self, request: dict[str, Any], times: int) -> list[Answer]:
        """Eras 0 to 2: the same question, again and again, in the era's own way."""
        said = re.findall(r"inventory ready at (\S+)", self.stage.logs("inventory"))
        address = self.stage.wire.address_for_orders or said[-1]
        package = self.stage.era.package
        argv = [sys.executable, "-c", ASK, package, address, json.dumps(request), str(times)]
        return [Answer(0, {}, json.dumps(answer)) for answer in json.loads(self._run(argv, ""))]

    def over_http(self, role: str, method: str, path: str, body: Any, shown: Credential) -> Answer:
        """From era 3 on: any request at all, to the place where others reach a role."""
        url, headers = self._door_of(role), with_token(shown.token)
        request = Request(url, method, path, headers, body, shown.certificate)
        if self.stage.form == "portable":
            return exchange(request)
        argv = [sys.executable, "-m", "tests.promises.web"]
        return Answer(**json.loads(self._run(argv, json.dumps(asdict(request)))))

    def _door_of(self, role: str) -> str:
        """Of a service that has a sidecar, the only one that the network knows."""
        sidecar = beside(self.stage, role)
        if sidecar:
            return self.stage.address(sidecar).replace("http:", "https:")
        return self.stage.address(role)

    def _run(self, argv: list[str], stdin: str) -> str:
        """What it prints. Who could not ask proves nothing: that fails the test."""
        inside = self.stage.wire.orders.argv_prefix() if self.stage.form == "real" else []
        ran = subprocess.run(
            [*inside, *argv],
            input=stdin,
            env=child_environment(),
            text=True,
            capture_output=True,
            timeout=ASKING_S,
        )
        assert ran.returncode == 0, f"the stranger could not: {ran.stderr}"
        return ran.stdout


def as_http(request: dict[str, Any]) -> tuple[str, str, Any]:
    """Method, path and body of a question to inventory, from era 3 on."""
    match request["op"]:
        case "reserve":
            body = {"sku": request["sku"], "quantity": request["quantity"]}
            return "PUT", f"/reservations/{request['order_id']}", body
        case "release":
            return "DELETE", f"/reservations/{request['order_id']}", None
        case _:
            return "GET", "/catalogue", None


def packets(pcapng: bytes) -> list[tuple[int, bytes]]:
    """(interface, packet) of every packet in a capture; 0 is orders' end, 1 is inventory's."""
    found, at = [], 0
    while at + 12 <= len(pcapng):
        kind, length = struct.unpack_from("<II", pcapng, at)
        if kind == ENHANCED_PACKET:
            end, _, _, size = struct.unpack_from("<IIII", pcapng, at + 8)
            found.append((end, pcapng[at + 28 : at + 28 + size]))
        at += length
    return found


def address_in(url: str) -> tuple[str, int]:
    host, _, port = url.rpartition("/")[2].rpartition(":")
    return host, int(port)
