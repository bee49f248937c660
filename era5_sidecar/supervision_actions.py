"""What a supervisor may be told to do, and how long it is to wait: the words of supervision.py.

Named tuples, as a process that does nearly nothing should weigh nearly nothing: importing
dataclasses costs 3 MB.
"""

from typing import NamedTuple


class Limits(NamedTuple):
    """Seconds, as the configuration has them."""

    probe_every_s: float = 1.0
    patience_s: float = 5.0
    upgrade_s: float = 10.0
    settle_s: float = 1.0
    drain_s: float = 3.0


class Start(NamedTuple):
    """Start a proxy, from now on called `proxy`; is_upgrade: as the file says now."""

    proxy: int
    is_upgrade: bool = False


class Signal(NamedTuple):
    """Send one, by its name without SIG."""

    proxy: int
    name: str


class Probe(NamedTuple):
    """Ask at the admin address whether anybody lives."""


class Announce(NamedTuple):
    """This proxy serves now; said outside when it is the first."""

    proxy: int
    is_first: bool


class Say(NamedTuple):
    """Tell the operator."""

    line: str


class End(NamedTuple):
    """It is over, with this exit code."""

    code: int


Action = Start | Signal | Probe | Announce | Say | End
