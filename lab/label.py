"""What to call a frame in a ladder: the era's own name for it, or what its headers say.

An era that defines a packet offers `summary(frame: bytes) -> str` in its module `packet`. For the
others a frame is what the kernel made of it: a UDP datagram, or a TCP segment with its numbers
counted from the start of the connection. Of HTTP the first line is told, and what it is about; of
TLS only that it is.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import re
from collections.abc import Callable

from lab.find import Era
from lab.trace import Event

Label = Callable[[Event], str]  # what the event of a frame entering the wire is called

IP_HEADER, UDP_HEADER = 20, 8
UDP, TCP = 17, 6
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
# of a member of a JSON object, cut or not, written with spaces or without
VALUE = re.compile(r'(?:(?<=": )|(?<=":))(?:"[^"]*"|-?[0-9]+)')
REQUEST = re.compile(r"(GET|HEAD|PUT|POST|PATCH|DELETE|OPTIONS) (\S+)")
RESPONSE = re.compile(r"HTTP/1\.[01] ([0-9]{3}) ?([^\r\n]*)")
OUTCOME = re.compile(r'"outcome": ?"(\w+)"')
NUMBER = re.compile(r"\b(seq|ack)=([0-9]+)")
TLS = {20: "cipher", 21: "alert", 22: "handshake", 23: "record"}  # RFC 8446, section 5.1
FLAGS = ((SYN, "SYN"), (FIN, "FIN"), (RST, "RST"))


def label_of(era: Era, form: str) -> Label:
    """How the frames of this era over this form of the wire are called."""
    packet = f"{era.package}.packet"
    if importlib.util.find_spec(packet):
        return Named(importlib.import_module(packet).summary).label
    if form == "real":
        packets = Packets()
        return lambda event: packets.label(event.head, event.size)
    return lambda event: said(event.head, event.size)


class Named:
    """Frames by the era's own name for them, their numbers counted from their stream's first."""

    def __init__(self, summary: Callable[[bytes], str]) -> None:
        self._summary = summary
        self._first: dict[str, int] = {}  # by the service that sends the stream

    def label(self, event: Event) -> str:
        """As the era says, but `seq=3` where it says `seq=3533573916`."""
        text = self._summary(event.head)
        sender = {"seq": event.source, "ack": event.target}
        if text.startswith("SYN"):
            self._first.pop(event.source, None)  # a new connection starts anywhere

        def counted(found: re.Match[str]) -> str:
            stream, number = sender[found[1]], int(found[2])
            if found[1] == "seq":
                self._first.setdefault(stream, number)
            since = (number - self._first.get(stream, number)) % 2**32
            return f"{found[1]}={since if since < 2**31 else number}"

        return NUMBER.sub(counted, text)


class Packets:
    """IP packets as they cross a real interface. Remembers where each TCP stream began."""

    def __init__(self) -> None:
        self._first: dict[bytes, int] = {}
        self._highest: dict[bytes, int] = {}

    def label(self, head: bytes, size: int) -> str:
        """`DATA 1-76 place o-1`, `ACK 76`, or what a datagram contains."""
        if len(head) < IP_HEADER or head[0] >> 4 != 4:
            return f"{size} bytes"
        protocol, start = head[9], (head[0] & 15) * 4
        if protocol == UDP:
            return said(head[start + UDP_HEADER :], size - start - UDP_HEADER)
        if protocol != TCP or len(head) < start + 20:
            return f"IP protocol {protocol}, {size} bytes"
        return self._segment(head, start, size)

    def _segment(self, head: bytes, start: int, size: int) -> str:
        tcp = head[start:]
        here, there = head[12:16] + tcp[0:2], head[16:20] + tcp[2:4]
        seq, ack = int.from_bytes(tcp[4:8], "big"), int.from_bytes(tcp[8:12], "big")
        data_at, flags = (tcp[12] >> 4) * 4, tcp[13]
        length = size - start - data_at
        if flags & SYN:
            self._first[here + there] = self._highest[here + there] = seq
        begin = (seq - self._first.setdefault(here + there, seq)) % 2**32
        acknowledged = (ack - self._first.get(there + here, ack)) % 2**32
        names = [name for bit, name in FLAGS if flags & bit]
        if length:
            names.append(f"DATA {begin}-{begin + length - 1}")
        if flags & ACK and (names != ["RST"]):
            names.append(f"ACK {acknowledged}")
        if length and self._is_again(here + there, seq, length):
            names.append("again")
        text = said(tcp[data_at:], length) if length else ""
        return " ".join([*names, text]).strip()

    def _is_again(self, stream: bytes, seq: int, length: int) -> bool:
        end = seq + length
        beyond = (end - self._highest.get(stream, seq)) % 2**32
        if 0 < beyond < 2**31:
            self._highest[stream] = end % 2**32
            return False
        return True


def said(message: bytes, size: int) -> str:
    """What a message of `size` bytes says, as far as its beginning can be read."""
    text = message.decode("utf-8", "replace")
    if request := REQUEST.match(text):
        words = _values(text.partition("\r\n\r\n")[2])
        return " ".join([request[1], request[2], *words])
    if response := RESPONSE.match(text):
        outcome = OUTCOME.search(text)
        return f"{response[1]} {outcome[1] if outcome else response[2].lower()}".rstrip()
    if message[1:2] == b"\x03" and message[0] in TLS:
        return f"TLS {TLS[message[0]]}, {size} bytes"
    start = message.find(b"{")
    if not 0 <= start <= 4:  # era 2 puts a length of four bytes before it
        return f"{size} bytes"
    text = message[start:].decode("utf-8", "replace")
    words = _values(text)
    if size > len(message):
        return f"{' '.join(words)}… {size:,} bytes"
    if _is_json(text):
        return " ".join(words)
    return "".join(c if c.isprintable() else "?" for c in text)


def _values(text: str) -> list[str]:
    return [value.strip('"') for value in VALUE.findall(text)]


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
