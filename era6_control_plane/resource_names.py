"""What a client asks for of one kind: names, or all there are.

    SOTW    each request names all that is asked for
    DELTA   each request names what is asked for from now on, and what no longer

Of listeners and clusters, asking without a name means all: a wildcard subscription. In SOTW only as
long as the client has never named any on this stream: from then on it means none. In DELTA only in
the first request.
"""

from __future__ import annotations

from era6_control_plane.names import WILDCARD
from era6_control_plane.talk import Mode, Request

EVERYTHING = "*"
MOST_NAMES = 20_000


class ResourceNames:
    """`is_wildcard` and `names`: what is asked for now."""

    def __init__(self, kind: str, mode: Mode) -> None:
        self.names: set[str] = set()
        self.is_wildcard = False
        self._may_be_wildcard = kind in WILDCARD
        self._mode = mode
        self._is_first, self._has_named = True, False

    def hear(self, request: Request) -> bool:
        """Whether it asks for more than before. Raises ValueError if it is more than any needs."""
        before, was_wildcard = set(self.names), self.is_wildcard
        if self._mode is Mode.SOTW:
            self._hear_sotw(request)
        else:
            self._hear_delta(request)
        self._is_first = False
        if len(self.names) > MOST_NAMES:
            raise ValueError(f"{len(self.names)} names of one kind; accepted: up to {MOST_NAMES}")
        return not was_wildcard and (self.is_wildcard or bool(self.names - before))

    def covers(self, name: str) -> bool:
        """Whether this one is asked for."""
        return self.is_wildcard or name in self.names

    def __bool__(self) -> bool:
        return self.is_wildcard or bool(self.names)

    def _hear_sotw(self, request: Request) -> None:
        self._has_named = self._has_named or bool(request.names)
        names_none = self._may_be_wildcard and not self._has_named
        self.is_wildcard = EVERYTHING in request.names or names_none
        self.names = set(request.names) - {EVERYTHING}

    def _hear_delta(self, request: Request) -> None:
        if self._is_first:
            self.is_wildcard = self._may_be_wildcard and not request.names
        self.is_wildcard |= EVERYTHING in request.names
        self.is_wildcard &= EVERYTHING not in request.dropped
        self.names |= set(request.names) - {EVERYTHING}
        self.names -= set(request.dropped)
