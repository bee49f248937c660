"""Roles that get ready at the same time."""

from __future__ import annotations

from lab.launch import Role


class Crew:
    """The roles of a cast by their names, in the order in which they were first begun."""

    def __init__(self) -> None:
        self.roles: dict[str, Role] = {}
        self._begun: list[str] = []  # whose ready line is still to come

    def begin(self, role: Role) -> None:
        """Start it, and wait for nothing. Raises RoleFailed."""
        self.roles[role.name] = role
        self._begun.append(role.name)
        role.begin()

    def wait_ready(self, *only: str) -> None:
        """Wait for these, or for all that were begun. Raises RoleFailed."""
        for name in only or tuple(self._begun):
            self._begun.remove(name)
            self.roles[name].wait_ready()

    def is_running(self, name: str) -> bool:
        """False also for one that is not there."""
        return name in self.roles and self.roles[name].is_running

    def stop(self) -> None:
        """Ask all to end, the last one first: it asks the others. May be called twice."""
        for role in reversed(self.roles.values()):
            role.ask_to_stop()
        for role in self.roles.values():
            role.stop()
