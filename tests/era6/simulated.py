"""A proxy that speaks xDS, without gRPC: it takes what it is told at its own pace, and keeps count
of what must never be: a route without its cluster, a step back, a thing refused and said again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping

from google.protobuf.any_pb2 import Any

from era6_control_plane.names import CDS, EDS, LDS, ORDER, RDS
from era6_control_plane.planning import Stream
from era6_control_plane.snapshot import Resource, Snapshot
from era6_control_plane.talk import Answer, Mode, Request


def resource(kind: str, name: str, serial: int, content: str = "", is_bad: bool = False):
    """Its version tells all that the client looks at: `serial content`, and ! for a bad one."""
    body = f"{serial} {content}{'!' if is_bad else ''}"
    return Resource(name, body, Any(type_url=kind, value=body.encode()))


def serial(one: Resource) -> int:
    return int(one.version.split()[0])


def content(one: Resource) -> set[str]:
    """The clusters of a route, the routes of a listener."""
    return {name for name in one.version.partition(" ")[2].rstrip("!").split(",") if name}


def is_bad(one: Resource) -> bool:
    return one.version.endswith("!")


class Proxy:
    """As Envoy: clusters first, then their endpoints, then listeners, then their routes."""

    def __init__(self, mode: Mode, tells_names: bool, waits_for_warmth: bool) -> None:
        """tells_names: a refusal says which, and the others are applied. waits_for_warmth: a change
        of clusters is acknowledged when their endpoints have come anew."""
        self.mode, self.tells_names, self.waits_for_warmth = mode, tells_names, waits_for_warmth
        self.begin()
        self.connect(None)

    def begin(self) -> None:
        """It has nothing, and remembers nothing."""
        self.has: dict[str, dict[str, Resource]] = {kind: {} for kind in ORDER}
        self.versions: dict[str, str] = {}  # SOTW: last accepted
        self.refused: set[tuple[str, str, str]] = set()  # as far as the server has heard
        self.newest: dict[tuple[str, str], int] = {}
        self.checks_routes = True
        self.ever_asked: set[str] = set()
        self.patience = 0  # how often it has been lost
        self.said: deque[Request] = deque()

    def connect(self, before: Stream | None) -> None:
        """Both directions are lost; it says what it has."""
        self.stream = Stream(self.mode, before)
        self.told: deque[Answer] = deque()
        self.said.clear()
        self.nonces: dict[str, str] = {}
        self.asked: dict[str, set[str]] = {}
        self.cold: set[str] = set()
        self.refusing: dict[str, set[tuple[str, str, str]]] = {}  # by nonce
        self.held: list[Callable[[], None]] = []
        shows = self.versions if self.mode is Mode.SOTW else self.has
        known = {kind for kind in ORDER if shows.get(kind)}
        self.refused = {one for one in self.refused if one[0] in known}  # else it seems a new one
        self._say(CDS)
        for kind in (EDS, LDS, RDS):
            if kind in self.ever_asked:
                self._say(kind)

    def hear_one(self, snapshot: Snapshot | None) -> None:
        """The server takes one request."""
        if self.said:
            request = self.said.popleft()
            self.refused |= self.refusing.pop(request.nonce, set())
            self.stream.hear(request)
            self.push(snapshot)

    def push(self, snapshot: Snapshot | None) -> None:
        self.told.extend(self.stream.plan(snapshot))
        on_their_way = [each.type_url for each in self.told]
        assert len(on_their_way) == len(set(on_their_way)), "two answers of one kind"

    def take_one(self) -> None:
        """The client takes one answer."""
        if not self.told:
            return
        answer = self.told.popleft()
        kind = answer.type_url
        self.nonces[kind] = answer.nonce
        again = {(kind, one.name, one.version) for one in answer.resources} & self.refused
        assert not again, f"refused and said again: {again}"
        new = [one for one in answer.resources if one != self.has[kind].get(one.name)]
        bad = [one for one in new if is_bad(one)]
        if not bad or self.tells_names:
            self._apply(answer, bad)
        self._follow()
        if bad:
            guilty = bad if self.tells_names else new
            self.refusing[answer.nonce] = {(kind, one.name, one.version) for one in guilty}
            why = f"refused: {', '.join(one.name for one in bad)}" if self.tells_names else "no"
            self._answer(kind, answer, why)
        elif kind == CDS and self.cold and self.waits_for_warmth:
            self.held.append(lambda: self._answer(kind, answer, None))
        else:
            self._answer(kind, answer, None)
        if not self.cold:
            self._let_go()

    def _let_go(self) -> None:
        for say in self.held:
            say()
        self.held.clear()

    def _apply(self, answer: Answer, bad: list[Resource]) -> None:
        kind = answer.type_url
        good = {one.name: one for one in answer.resources if one not in bad}
        if kind in (EDS, RDS):  # what it does not ask for any more it does not look at
            good = {name: one for name, one in good.items() if name in self.asked[kind]}
        before = self.has[kind]
        for name, one in good.items():
            assert serial(one) >= self.newest.get((kind, name), 0), f"{name} steps back"
            if not bad:  # else it is applied, and yet not acknowledged
                self.newest[kind, name] = serial(one)
        if kind == CDS:
            changed = {name for name, one in good.items() if one != before.get(name)}
            self.cold |= changed
        if self.mode is Mode.SOTW and kind in (CDS, LDS):
            keep = {one.name for one in bad}
            self.has[kind] = good | {name: one for name, one in before.items() if name in keep}
        else:
            self.has[kind] = before | good
            for name in answer.removed:
                self.has[kind].pop(name, None)
        if kind == EDS:
            self.cold -= good.keys() | set(answer.removed)
        self.cold &= self.has[CDS].keys()
        self._check_routes()

    def _check_routes(self) -> None:
        for route in self.has[RDS].values() if self.checks_routes else ():
            assert content(route) <= self.has[CDS].keys(), f"{route.name} leads nowhere"

    def _follow(self) -> None:
        """Ask for what follows from what there is, before the answer is acknowledged."""
        self._ask(EDS, set(self.has[CDS]))
        if LDS not in self.asked and CDS in self.nonces:
            self._say(LDS)
        self._ask(RDS, {name for one in self.has[LDS].values() for name in content(one)})

    def _ask(self, kind: str, names: set[str]) -> None:
        if names == self.asked.get(kind, set()):
            return
        gone = {name: one for name, one in self.has[kind].items() if name in names}
        self.has[kind] = gone
        self._say(kind, names)

    def _say(self, kind: str, names: set[str] | None = None) -> None:
        is_first, before = kind not in self.asked, self.asked.get(kind, set())
        if names is None and kind in (EDS, RDS):
            above = self.has[CDS] if kind == EDS else {}
            names = set(above) if kind == EDS else self._routes()
        names = names or set()
        self.asked[kind] = names
        self.ever_asked.add(kind)
        if self.mode is Mode.SOTW:
            version, nonce = self.versions.get(kind, ""), self.nonces.get(kind, "")
            self.said.append(Request(kind, nonce, version, tuple(sorted(names))))
            return
        versions = {name: one.version for name, one in self.has[kind].items()} if is_first else {}
        new, gone = tuple(sorted(names - before)), tuple(sorted(before - names))
        self.said.append(Request(kind, "", "", new, gone, versions))

    def _routes(self) -> set[str]:
        return {name for one in self.has[LDS].values() for name in content(one)}

    def _answer(self, kind: str, answer: Answer, why: str | None) -> None:
        if self.nonces.get(kind) != answer.nonce:
            return
        if self.mode is Mode.DELTA:
            self.said.append(Request(kind, answer.nonce, refused=why))
            return
        if why is None:
            self.versions[kind] = answer.version
        names = tuple(sorted(self.asked.get(kind, ())))
        version = self.versions.get(kind, "")
        self.said.append(Request(kind, answer.nonce, version, names, refused=why))

    def settle(self, snapshot: Snapshot | None) -> None:
        """Until nobody has anything to say."""
        for _ in range(1000):
            self.push(snapshot)
            if not self.said and not self.told:
                if not self.held:
                    return
                self.patience += 1
                self._let_go()  # Envoy's 15 s are over: it does without the endpoints
            self.hear_one(snapshot)
            self.take_one()
        raise AssertionError("they talk without end")

    def versions_of(self, kind: str) -> Mapping[str, str]:
        return {name: one.version for name, one in self.has[kind].items()}
