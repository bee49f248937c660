"""What goes wrong at the doors, told to whoever runs this: how often, since it was told."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from era5_sidecar.side import Door

TROUBLES = {  # what a door counts, and what is told
    "turned_away": "connections turned away: as many as may be are open",
    "starved": "times no file was left for whoever connects",
}


class Troubles:
    """One for each process."""

    def __init__(self, doors: Mapping[str, Door], say: Callable[[str], None]) -> None:
        self._doors = doors
        self._say = say
        self._told = dict.fromkeys(TROUBLES, 0)

    def look(self) -> None:
        """Say what is new."""
        for name, trouble in TROUBLES.items():
            count = sum(getattr(door, name) for door in self._doors.values())
            if count > self._told[name]:
                self._say(f"{count - self._told[name]} {trouble}")
            self._told[name] = count
