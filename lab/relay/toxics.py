"""What can go wrong with a connection rather than with a packet, in toxiproxy's words.

Its `latency` and `bandwidth` are our knobs delay_s, jitter_s and rate_bps (`lab.wire.knobs`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

from lab.wire.knobs import KnobError, is_at_least_0, is_count


@dataclass(frozen=True, slots=True)
class Toxics:
    """Faults of one direction of every connection. The defaults do nothing; None is off.

    Raises KnobError, naming the toxic, the value and what is accepted.
    """

    timeout_s: float | None = None  # a black hole: data vanishes; closed after this, 0 never
    reset_peer_s: float | None = None  # both sides get a RST so long after the connection began
    slow_close_s: float = 0.0  # the end of the stream is passed on so much later
    slice_bytes: int = 0  # data arrives in pieces of about this size; 0 is whole
    slice_variation_bytes: int = 0  # each piece is longer or shorter by up to this much
    slice_gap_s: float = 0.0  # between pieces
    limit_data_bytes: int | None = None  # the connection is closed after so much data

    def __post_init__(self) -> None:
        for name, (accepts, wanted) in ACCEPTED.items():
            value = getattr(self, name)
            if not accepts(value):
                raise KnobError(f"{name} is {value!r}; accepted: {wanted}")


def _or_off(accepts: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: value is None or accepts(value)


_SECONDS = (is_at_least_0, "seconds, a number of 0 or more")
_SECONDS_OR_OFF = (_or_off(is_at_least_0), "seconds, a number of 0 or more, or null for off")
_BYTES = (is_count, "whole bytes, 0 or more")

ACCEPTED: dict[str, tuple[Callable[[object], bool], str]] = {
    "timeout_s": _SECONDS_OR_OFF,
    "reset_peer_s": _SECONDS_OR_OFF,
    "slow_close_s": _SECONDS,
    "slice_bytes": _BYTES,
    "slice_variation_bytes": _BYTES,
    "slice_gap_s": _SECONDS,
    "limit_data_bytes": (_or_off(is_count), "whole bytes, 0 or more, or null for off"),
}

NAMES = tuple(field.name for field in fields(Toxics))
