"""Write what the wire saw as pcapng, for Wireshark, tshark and scapy.

Each frame appears once, when it entered the wire, on the interface named after its sender, with a
comment that says what the wire did to it: "#12 lost", "#13 after 10.2 ms". Format: the IETF draft
draft-ietf-opsawg-pcapng, sections 4.1 (section header), 4.2 (interface), 4.3 (enhanced packet).
"""

from __future__ import annotations

import struct
import time
from collections.abc import Sequence
from pathlib import Path

INTERFACES = ("orders", "inventory")
NANOSECONDS = 1_000_000_000

# https://www.tcpdump.org/linktypes.html
LINKTYPE_USER0, LINKTYPE_IPV4 = 147, 228
SECTION_HEADER, INTERFACE_DESCRIPTION, ENHANCED_PACKET = 0x0A0D0D0A, 1, 6
BYTE_ORDER_MAGIC = 0x1A2B3C4D
UNKNOWN_LENGTH = -1
OPTION_END, OPTION_COMMENT, OPTION_NAME, OPTION_RESOLUTION = 0, 1, 2, 9

# Datagrams of the portable form have lost their headers when the wire sees them. They get new
# ones, so that a dissector finds them where it would on a real interface.
ADDRESSES = (bytes((10, 7, 0, 1)), bytes((10, 7, 0, 2)))
UDP_PORTS = (7001, 7002)
UDP, LONGEST_DATAGRAM = 17, 65507


class Capture:
    """A witness of the wire (see `lab.wire.Witness`) that writes a pcapng file."""

    def __init__(self, path: Path, *, link: str = "ip", starts_at: float | None = None) -> None:
        """`link` says what frames are: "ip" packets, payloads of "udp", or "raw" (USER0).

        `starts_at` is the wall-clock time of moment 0; by default that of `time.monotonic()`,
        for a wire on virtual time give 0. Raises OSError if the file cannot be opened.
        """
        self._wrap = {"ip": _as_is, "raw": _as_is, "udp": in_udp}[link]
        self._starts_at = time.time() - time.monotonic() if starts_at is None else starts_at
        # Each packet is one write: a killed wire leaves a file that ends with a whole packet.
        self._file = open(path, "wb", buffering=0)  # noqa: SIM115 - open as long as the wire is
        self._write(SECTION_HEADER, struct.pack("<IHHq", BYTE_ORDER_MAGIC, 1, 0, UNKNOWN_LENGTH))
        for name in INTERFACES:
            linktype = LINKTYPE_USER0 if link == "raw" else LINKTYPE_IPV4
            options = _option(OPTION_NAME, name.encode()) + _option(OPTION_RESOLUTION, b"\x09")
            body = struct.pack("<HHI", linktype, 0, 0) + options + _option(OPTION_END, b"")
            self._write(INTERFACE_DESCRIPTION, body)

    def entered(
        self,
        now: float,
        port: int,
        number: int,
        frame: bytes,
        fate: Sequence[tuple[str, str]],
        copies: Sequence[tuple[float, bytes]],
    ) -> None:
        """Write the frame with what will become of it."""
        words = [f"{what}: {why}" for what, why in fate]
        if copies:
            words.append(f"after {(copies[0][0] - now) * 1000:.1f} ms")
        packet = self._wrap(port, frame)
        at = int((self._starts_at + now) * NANOSECONDS)
        size = len(packet)
        body = struct.pack("<IIIII", port, at >> 32, at & 0xFFFFFFFF, size, size) + _padded(packet)
        comment = _option(OPTION_COMMENT, f"#{number} {'; '.join(words)}".encode())
        self._write(ENHANCED_PACKET, body + comment + _option(OPTION_END, b""))

    def delivered(self, now: float, port: int, number: int, frame: bytes) -> None:
        """Write nothing: the packet's comment already says when it would arrive."""

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _write(self, kind: int, body: bytes) -> None:
        length = len(body) + 12
        self._file.write(struct.pack("<II", kind, length) + body + struct.pack("<I", length))


def in_udp(port: int, frame: bytes) -> bytes:
    """Put IPv4 and UDP headers (RFC 791, RFC 768) before a payload sent at `port` of the wire."""
    frame = frame[:LONGEST_DATAGRAM]
    length = 8 + len(frame)
    udp = struct.pack("!HHHH", UDP_PORTS[port], UDP_PORTS[1 - port], length, 0)  # 0: no checksum
    addresses = ADDRESSES[port] + ADDRESSES[1 - port]
    bare = struct.pack("!BBHHHBBH", 0x45, 0, 20 + length, 0, 0, 64, UDP, 0) + addresses
    return bare[:10] + struct.pack("!H", _checksum(bare)) + bare[12:] + udp + frame


def _as_is(port: int, frame: bytes) -> bytes:
    return frame


def _checksum(header: bytes) -> int:
    """The Internet checksum of an even number of bytes (RFC 1071)."""
    total: int = sum(struct.unpack(f"!{len(header) // 2}H", header))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _option(code: int, value: bytes) -> bytes:
    return struct.pack("<HH", code, len(value)) + _padded(value)


def _padded(value: bytes) -> bytes:
    return value + b"\0" * (-len(value) % 4)
