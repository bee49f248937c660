"""Counts the bytes that arrive in a measured window, and when."""

from __future__ import annotations

SAMPLE_EVERY_S = 0.05


class Meter:
    """A window of `duration_s` that opens when the connection stands at the receiver.

    Connecting is not counted: one lost SYN costs the kernel a second, and a stream is not about
    that. The ramp to full speed is counted. (Opening with the first byte instead would be too
    kind: if the first packet is lost, what followed it has already crossed the wire by then.)
    """

    def __init__(self, duration_s: float) -> None:
        self.duration_s = duration_s
        self.opened: float | None = None
        self.size_bytes = 0
        self.samples: list[tuple[float, int]] = []  # (time, bytes so far)
        self._next_sample = 0.0

    def add(self, now: float, size_bytes: int) -> None:
        """Count `size_bytes` that arrived at `now` (seconds of any monotonic clock).

        The first call opens the window, also with 0 bytes.
        """
        if self.opened is None:
            self.opened = now
        if self.is_over(now):
            return
        self.size_bytes += size_bytes
        if now < self._next_sample:
            return
        self.samples.append((now, self.size_bytes))
        self._next_sample = now + SAMPLE_EVERY_S

    def is_over(self, now: float) -> bool:
        return self.opened is not None and now >= self.opened + self.duration_s

    def as_report(self) -> dict[str, object]:
        return {"bytes": self.size_bytes, "seconds": self.duration_s, "samples": self.samples}
