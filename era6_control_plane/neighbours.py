"""Which proxy stands beside us, and where it lets callers in: whoever asks us for secrets says it.

An application that is well behind a proxy that is dead cannot be asked. So an instance counts while
a proxy's stream is open here, and a moment longer: one that is started again opens a new one.
"""

from __future__ import annotations

from era5_sidecar.config_text import check_address

GRACE_S = 1.0


class Neighbours:
    """Streams of proxies, each with an address. `now` is monotonic seconds."""

    def __init__(self) -> None:
        self._open: dict[object, str] = {}
        self._last = ""
        self._until = 0.0  # so long the last one counts after its stream has ended

    def come(self, stream: object, inbound: str) -> bool:
        """A stream says where its proxy lets callers in; whether that is an address."""
        try:
            check_address(inbound, "inbound")
        except ValueError:
            return False
        self._open[stream] = self._last = inbound
        return True

    def go(self, stream: object, now: float) -> None:
        """It has ended."""
        gone = self._open.pop(stream, None)
        if gone and not self._open:
            self._last, self._until = gone, now + GRACE_S
        elif self._open:
            self._last = next(reversed(self._open.values()))

    def inbound(self, now: float) -> str:
        """Where callers are let in, http://IP:PORT; empty: nobody is there to do so."""
        return self._last if self._open or now < self._until else ""

    def __repr__(self) -> str:
        return f"<Neighbours: {len(self._open)} streams, {self._last or 'no address'}>"
