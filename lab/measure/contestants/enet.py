"""ENet, reliable messages over UDP made for games: the yardstick for small messages.

http://enet.bespin.org. It has no congestion control to speak of, so it carries no stream here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import enet

from lab.measure.contestants import Place

SERVICE_MS = 100


class ENet:
    def ask(self, place: Place, request: bytes, answer_bytes: int) -> Iterator[None]:
        host = enet.Host(None, 1, 1, 0, 0)
        peer = host.connect(enet.Address(place.peer.encode(), place.port), 1)
        _wait_for(host, enet.EVENT_TYPE_CONNECT)
        while True:
            yield
            _send(host, peer, request)
            _wait_for(host, enet.EVENT_TYPE_RECEIVE)

    def answer(
        self, place: Place, request_bytes: int, answer: bytes, ready: Callable[[], None]
    ) -> None:
        host = enet.Host(enet.Address(place.me.encode(), place.port), 1, 1, 0, 0)
        ready()
        while True:
            event = _wait_for(host, enet.EVENT_TYPE_RECEIVE)
            _send(host, event.peer, answer)


def _send(host: enet.Host, peer: enet.Peer, message: bytes) -> None:
    peer.send(0, enet.Packet(message, enet.PACKET_FLAG_RELIABLE))
    host.flush()


def _wait_for(host: enet.Host, kind: int) -> enet.Event:
    while True:
        event = host.service(SERVICE_MS)
        if event.type == kind:
            return event
        if event.type == enet.EVENT_TYPE_DISCONNECT:
            raise ConnectionError("ENet gave the peer up")
