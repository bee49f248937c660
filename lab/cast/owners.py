"""Whose port it is: on a real wire all instances share inventory's address, and a port tells."""

from __future__ import annotations

from dataclasses import replace

from lab.trace import Event

TCP = 6


class Owners:
    """Who has which port at inventory's address; who moved keeps what it had before as well."""

    def __init__(self) -> None:
        self._names: dict[int, str] = {}

    def learn(self, url: str, name: str) -> None:
        """`name` listens at this URL."""
        self._names[int(url.rpartition(":")[2])] = name

    def name_ends(self, event: Event) -> Event:
        """The event of a frame with a name instead of `inventory`, if the port is somebody's."""
        is_there = event.target == "inventory"
        name = self._names.get(inventory_port(event.head, is_there))
        if name is None:
            return event
        return replace(event, target=name) if is_there else replace(event, source=name)


def inventory_port(packet: bytes, sent_by_orders: bool) -> int:
    """The TCP port at inventory's end of an IPv4 packet (RFC 791, RFC 9293); 0 if it is none."""
    start = (packet[0] & 15) * 4 if packet else 0
    if start < 20 or len(packet) < start + 4 or packet[9] != TCP:
        return 0
    at = start + 2 if sent_by_orders else start
    return int.from_bytes(packet[at : at + 2], "big")
