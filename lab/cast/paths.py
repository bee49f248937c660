"""The way to each instance: on the portable wire a path of the relay, on the real one a port."""

from __future__ import annotations

from collections.abc import Sequence

from lab.cast.owners import Owners
from lab.trace import Event
from lab.wire.process import WireProcess


class Paths:
    """Which instance is reached where. On a real wire all of them share one way."""

    def __init__(self, wire: WireProcess, is_real: bool) -> None:
        self._wire = wire
        self._is_real = is_real
        self._advertised: dict[str, str] = {}  # form portable: where the relay listens for whom
        self._owners = Owners()

    def open(self, name: str) -> None:
        """A path to an instance that is about to start; who knocks there waits for it."""
        if not self._is_real:
            self._advertised[name] = self._wire.open_path(name).replace("tcp:", "http:")

    def advertised(self, name: str) -> str:
        """What the instance must register, if it is not where it listens; else empty."""
        return self._advertised.get(name, "")

    def lead_to(self, name: str, address: str) -> None:
        """The instance listens at this URL."""
        self._owners.learn(address, name)
        if name in self._advertised:
            self._wire.path(name).forward_to(address.replace("http:", "tcp:"))
            self._wire.path(name).reopen_path()

    def close(self, name: str) -> None:
        """Nobody is there: let the relay refuse connections, as the instance's host would."""
        if name in self._advertised:
            self._wire.path(name).close_path()

    def wire_of(self, name: str, instances: Sequence[str]) -> WireProcess:
        """The wire, its verbs meant for one instance's path. ValueError if it is not to be had."""
        if self._is_real:
            raise ValueError("on a real wire all instances share one path: take form portable")
        require_one_of(instances, name)
        return self._wire.path(name)

    def name_ends(self, event: Event) -> Event:
        """With the name of the instance where a real wire says inventory."""
        is_nameless = self._is_real and event.process == "wire"
        return self._owners.name_ends(event) if is_nameless else event


def require_one_of(instances: Sequence[str], name: str) -> None:
    """Raises ValueError, which names those that are accepted."""
    if name not in instances:
        raise ValueError(f"instance {name!r}: accepted are {', '.join(instances)}")


def new_instance(name: str, known: Sequence[str]) -> str:
    """`name` or, if it is empty, the next number's. Raises ValueError if somebody has it."""
    fresh = (f"inventory-{n}" for n in range(1, len(known) + 2))
    name = name or next(each for each in fresh if each not in known)
    if name in known:
        raise ValueError(f"instance {name!r}: accepted is a name that none has had yet")
    return name
