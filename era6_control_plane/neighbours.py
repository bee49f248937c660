"""Which proxy stands beside us, and where it lets callers in: whoever asks us for secrets says it.

An application that is well behind a proxy that is dead cannot be asked. So an instance counts while
the stream of a proxy with an address is open here:

    an address        it lets callers in there; the newest one counts, as at an upgrade
    none ("")         it does not yet, or no longer: unless another one does, we are not to be asked
    no stream at all  it was killed; whoever starts it again has a moment for that
"""

from __future__ import annotations

from era5_sidecar.config_text import check_address

GRACE_S = 1.0


class Neighbours:
    """Streams of proxies. `now` is monotonic seconds."""

    def __init__(self) -> None:
        self._open: dict[object, str] = {}  # the oldest first
        self._last = ""
        self._until = 0.0  # so long the last address counts when nobody is there

    def come(self, stream: object, inbound: str) -> bool:
        """A stream says where its proxy lets callers in; whether that makes sense."""
        try:
            if inbound:
                check_address(inbound, "inbound")
        except ValueError:
            return False
        self._open[stream] = inbound
        if not inbound:
            self._until = 0.0  # somebody is there, and has not been killed
        return True

    def go(self, stream: object, now: float) -> None:
        """It has ended."""
        gone = self._open.pop(stream, "")
        if gone and not self._open:
            self._last, self._until = gone, now + GRACE_S

    def inbound(self, now: float) -> str:
        """Where callers are let in, http://IP:PORT; empty: nobody is there to do so."""
        addresses = [each for each in self._open.values() if each]
        if addresses:
            return addresses[-1]
        return self._last if not self._open and now < self._until else ""

    def __repr__(self) -> str:
        return f"<Neighbours: {len(self._open)} streams>"
