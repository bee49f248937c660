"""What can be turned on the wire: one value object, validated when it is made.

The same knobs serve all three forms of the wire (virtual time, portable relay, real interfaces).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields, replace


class KnobError(ValueError):
    """A knob was given a value that it does not accept; the message says what it accepts."""


@dataclass(frozen=True, slots=True)
class Knobs:
    """The faults of one direction of the wire. The defaults are a perfect wire.

    Probabilities are per frame and independent of each other. Raises KnobError, naming the knob,
    the value and what is accepted.
    """

    loss: float = 0.0  # probability that a frame vanishes
    duplicate: float = 0.0  # probability that it arrives twice
    reorder: float = 0.0  # probability that it is held back, so that later frames overtake it
    reorder_by_s: float = 0.0  # for how long; 0 means half of delay_s plus 2 ms
    corrupt: float = 0.0  # probability that one bit of it is flipped
    delay_s: float = 0.0  # one way
    jitter_s: float = 0.0  # each frame's delay varies evenly by up to this much, in order
    rate_bps: float = 0.0  # bits per second; 0 is unlimited
    queue_bytes: int = 0  # room in front of the slow link, then tail drop; 0 is unlimited
    mtu_bytes: int = 65535  # longer frames vanish silently, as in a path-MTU black hole (RFC 2923)
    partitioned: bool = False  # nothing enters; what is already under way still arrives
    script: tuple[str, ...] = ()  # fates of the next frames, before chance rules again

    def __post_init__(self) -> None:
        for name, (accepts, wanted) in ACCEPTED.items():
            value = getattr(self, name)
            if not accepts(value):
                raise KnobError(f"{name} is {value!r}; accepted: {wanted}")
        object.__setattr__(self, "script", read_script(self.script))


def _is_number(value: object) -> bool:
    is_real = isinstance(value, (int, float)) and not isinstance(value, bool)
    return is_real and math.isfinite(value)  # type: ignore[arg-type]


def _is_probability(value: object) -> bool:
    return _is_number(value) and 0 <= value <= 1  # type: ignore[operator]


def is_at_least_0(value: object) -> bool:
    return _is_number(value) and value >= 0  # type: ignore[operator]


def is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_mtu(value: object) -> bool:
    return is_count(value) and 1 <= value <= 65535  # type: ignore[operator]


_PROBABILITY = (_is_probability, "a probability from 0 to 1")
_SECONDS = (is_at_least_0, "seconds, a number of 0 or more")

ACCEPTED: dict[str, tuple[Callable[[object], bool], str]] = {
    "loss": _PROBABILITY,
    "duplicate": _PROBABILITY,
    "reorder": _PROBABILITY,
    "reorder_by_s": _SECONDS,
    "corrupt": _PROBABILITY,
    "delay_s": _SECONDS,
    "jitter_s": _SECONDS,
    "rate_bps": (is_at_least_0, "bits per second, a number of 0 (unlimited) or more"),
    "queue_bytes": (is_count, "whole bytes, 0 (unlimited) or more"),
    "mtu_bytes": (_is_mtu, "whole bytes from 1 to 65535"),
    "partitioned": (lambda value: isinstance(value, bool), "true or false"),
}

NAMES = tuple(field.name for field in fields(Knobs))

FATES = ("deliver", "drop", "duplicate", "corrupt")
ACCEPTED_FATES = f"a list of {', '.join(FATES)} or delay:SECONDS"


def read_script(fates: Iterable[str]) -> tuple[str, ...]:
    """Check a script, a list of fates; raise KnobError naming the first that is none."""
    if isinstance(fates, str):  # a bare "drop" would otherwise be read letter by letter
        raise KnobError(f"script is {fates!r}; accepted: {ACCEPTED_FATES}")
    script = tuple(fates)
    for fate in script:
        if fate not in FATES and held_s(fate) is None:
            raise KnobError(f"script has {fate!r}; accepted: {ACCEPTED_FATES}")
    return script


def held_s(fate: object) -> float | None:
    """The seconds, more than 0, of a fate `delay:SECONDS`; None if it is not one."""
    if not isinstance(fate, str) or not fate.startswith("delay:"):
        return None
    try:
        seconds = float(fate.removeprefix("delay:"))
    except ValueError:
        return None
    return seconds if is_at_least_0(seconds) and seconds else None


def knobs_from(values: object, base: Knobs) -> Knobs:
    """`base` with the values of a JSON object; raises KnobError for what is no knob."""
    if not isinstance(values, dict):
        raise KnobError(f"knobs are {values!r}; accepted: an object of {', '.join(NAMES)}")
    for name in values:
        if name not in NAMES:
            raise KnobError(f"knob is {name!r}; accepted: {', '.join(NAMES)}")
    return replace(base, **values)
