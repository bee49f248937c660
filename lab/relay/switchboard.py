"""The relays of one process: a nameless one and, from era 3 on, one by name for each instance.

The nameless is the pattern of the others: what is turned for all is turned for it too, and an
instance that joins later finds its path as bad as the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path as FilePath

from lab.relay.shell import Relay
from lab.relay.stream import Path
from lab.wire.control import Control
from lab.wire.core import DIRECTIONS
from lab.wire.knobs import KnobError, Knobs
from lab.wire.portable import Address
from lab.wire.trace import ENDS, TraceFile


class Switchboard:
    """All paths of a relay's process, under one command."""

    def __init__(
        self,
        seed: int,
        knobs: tuple[Knobs, Knobs],
        inventory: Address | None,
        trace: tuple[FilePath | None, int],
    ) -> None:
        """`knobs` of there and back; `trace`: its file and how much of a segment it keeps.

        Raises OSError if that file cannot be opened.
        """
        self._seed = seed
        self._trace = trace
        self._relays = {"": Relay(seed, self._paths(ENDS, "", knobs), inventory)}
        verbs = {
            "open": self._open,
            "reopen": self._for_each(lambda relay, _: relay.reopen()),
            "close": self._for_each(lambda relay, _: relay.close()),
            "forward": self._for_each(Relay.obey_forward),
            "toxics": self._for_each(Relay.obey_toxics),
        }
        self.control = Control(self._relays[""].paths, [0, 0], verbs)

    def listen(self) -> str:
        """Open the nameless path; return its address."""
        return self._relays[""].listen()

    def turned(self) -> None:
        """Something was turned: let every connection look."""
        for relay in self._relays.values():
            relay.turned()

    def _open(self, command: Mapping[str, object]) -> str:
        """{"do": "open", "path": NAME}: a path to one more instance, or a new one; its address.

        Until "forward" says where the instance is, connections wait.
        """
        name = str(command.get("path") or "")
        if not name:
            raise KnobError(f"path is {command.get('path')!r}; accepted: the name of an instance")
        relay = self._relays.get(name) or self._add(name)
        relay.inventory = None
        return relay.listen()

    def _add(self, name: str) -> Relay:
        pattern = self._relays[""]
        there, back = pattern.paths
        paths = self._paths((ENDS[0], name), f"/{name}", (there.knobs, back.knobs))
        for path, like in zip(paths, pattern.paths, strict=True):
            path.script = like.script
        relay = self._relays[name] = Relay(self._seed, paths, None)
        relay.take_after(pattern)
        self.control.add_path(name, paths)
        return relay

    def _paths(
        self, ends: tuple[str, str], suffix: str, knobs: tuple[Knobs, Knobs]
    ) -> tuple[Path, Path]:
        file, head_bytes = self._trace
        witness = TraceFile(file, ends, head_bytes) if file else None
        there, back = (f"{direction}{suffix}" for direction in DIRECTIONS)
        return (
            Path(self._seed, there, 0, knobs[0], witness),
            Path(self._seed, back, 1, knobs[1], witness),
        )

    def _for_each(
        self, verb: Callable[[Relay, Mapping[str, object]], object]
    ) -> Callable[[Mapping[str, object]], None]:
        """The verb of the relay that a command names, or of all of them."""

        def obey(command: Mapping[str, object]) -> None:
            name = command.get("path")
            if name is not None and name not in self._relays:
                raise KnobError(
                    f"path is {name!r}; accepted: {', '.join(filter(None, self._relays))}"
                )
            chosen = self._relays if name is None else [str(name)]
            for each in chosen:
                verb(self._relays[each], command)

        return obey
