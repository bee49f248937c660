"""Someone else on the network: reads what passes, sends it again, asks for things."""

import json
import re
import socket
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

from lab.find import child_environment
from lab.stage import Stage
from tests.promises.forge import next_request

ENHANCED_PACKET = 6  # pcapng, section 4.3
IP_AND_UDP_BYTES = 28  # what the capture puts before a datagram of the portable form
ASKING_S = 10.0

# Inside orders' host: raw IPv4 packets, sent as they are. The kernel keeps the source address.
SEND_RAW = """
import json, socket, sys
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
for frame in json.load(sys.stdin):
    raw.sendto(bytes.fromhex(frame), ("10.7.0.2", 0))
"""

# The era's own transport, in a process that is no service of the shop.
ASK = """
import importlib, json, sys
package, address, request = sys.argv[1:]
caller = importlib.import_module(package + ".transport").Caller(address)
print(json.dumps(caller.call(json.loads(request))), flush=True)
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
            sent = self._run(
                [sys.executable, "-c", SEND_RAW], json.dumps([f.hex() for f in frames])
            )
            assert sent.returncode == 0, f"nothing was sent: {sent.stderr}"
            return
        host, port = address_in(self.stage.wire.address_for_orders)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as anywhere:
            for frame in frames:
                anywhere.sendto(frame, (host, port))

    def forge(self, swap: tuple[bytes, bytes], guess: int | None = None) -> None:
        """Send what orders would send next if it asked what it asked last, for another order."""
        seen, scheme = self.frames_of_orders(), self.stage.era.schemes[self.stage.form]
        self.send([next_request(seen, scheme, self.stage.form == "real", swap, guess)])

    def ask(self, request: dict[str, Any]) -> None:
        """Ask inventory as orders would, without being orders. What it answers does not matter."""
        said = re.findall(r"inventory ready at (\S+)", self.stage.logs("inventory"))
        address = self.stage.wire.address_for_orders or said[-1]
        package = self.stage.era.package
        self._run([sys.executable, "-c", ASK, package, address, json.dumps(request)], "")

    def _run(self, argv: list[str], stdin: str) -> subprocess.CompletedProcess[str]:
        inside = self.stage.wire.orders.argv_prefix() if self.stage.form == "real" else []
        return subprocess.run(
            [*inside, *argv],
            input=stdin,
            env=child_environment(),
            text=True,
            capture_output=True,
            timeout=ASKING_S,
        )


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
