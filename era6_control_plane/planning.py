"""What to send next on one stream of xDS: pure, without gRPC and without a clock.

Make before break. Whoever is asked must be known before a route leads there, and stays until no
route does:

    new       CDS ──▶ EDS ──acknowledged──▶ LDS ──▶ RDS
    removals  RDS ◀── LDS;  LDS and RDS content ──▶ CDS ──acknowledged──▶ EDS

`content`: all that is wanted, acknowledged. So a refused route keeps the cluster that its last good
version leads to; and a refused cluster of which there is no older one keeps back all routes.

After CDS there is always EDS, even if nothing in it has changed: a proxy that was told of a changed
cluster waits for its endpoints again, and holds back its acknowledgement until it has them. (Envoy
in the state of the world repeats its question, in DELTA it does not even do that: 15 s.)

A node that we do not know is told nothing: an empty answer would mean, delete all you have. One
that comes back says what it has, kind by kind. Until it has spoken of all that it had asked for,
no route goes out and no cluster goes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from era6_control_plane.belief import Changes, present
from era6_control_plane.names import CDS, EDS, LDS, ORDER, RDS
from era6_control_plane.snapshot import Resource, Snapshot, version_of
from era6_control_plane.subscription import Subscription
from era6_control_plane.talk import Answer, Heard, Mode, Request

FIRST = {LDS: (CDS, EDS), RDS: (CDS, EDS)}  # these are there before something new is told
LAST = {CDS: (LDS, RDS), EDS: (CDS, LDS, RDS), RDS: (LDS,)}  # these are content before removals


@dataclass(frozen=True)
class Progress:
    """Versions of one kind, for who looks; refused: why what is desired is not in force."""

    desired: str
    sent: str
    acknowledged: str
    refused: str | None


class Stream:
    """One conversation. Call `hear` for each request, and `plan` after it and after each change."""

    def __init__(self, mode: Mode, before: Stream | None = None) -> None:
        """before: the last stream of the same node. What it refused is remembered, and what it
        was told, by which one that comes back is recognised.
        """
        self.mode = mode
        is_like = before is not None and before.mode is mode
        self._before = before._remembered() if before and is_like else {}
        if CDS in self._before and self._before[CDS].waits_for:
            self._doubt_endpoints()
        self._returning: set[str] = set()  # kinds of which it has something, and will speak yet
        self._subscriptions: dict[str, Subscription] = {}
        # endpoints of clusters that it still has, though nobody wants them any more
        self._kept: dict[str, Resource] = before._kept if before and is_like else {}
        self._last_nonce: int = before._last_nonce if before else 0

    def hear(self, request: Request) -> Heard:
        """Raises ValueError if it asks for more names than any node has."""
        kind = request.type_url
        if kind not in ORDER:
            return Heard.UNKNOWN
        if not self._subscriptions and (request.version or request.has):
            self._returning = set(self._before) or {LDS, RDS}
        self._returning.discard(kind)
        if kind not in self._subscriptions:
            self._subscriptions[kind] = Subscription(kind, self.mode, self._before.pop(kind, None))
        return self._subscriptions[kind].hear(request)

    def plan(self, snapshot: Snapshot | None) -> list[Answer]:
        """What may be sent now, in this order. None: we do not know this node."""
        if snapshot is None:
            return []
        for kind, each in self._subscriptions.items():
            each.recognise(self._wanted(kind, snapshot))
        answers = []
        for kind in ORDER:
            changes = self._due(kind, snapshot)
            if changes is not None:
                self._last_nonce += 1
                answers.append(self._subscriptions[kind].tell(changes, str(self._last_nonce)))
                self._warm(kind, changes)
        self._keep(snapshot)
        return answers

    def progress(self, snapshot: Snapshot | None) -> dict[str, Progress]:
        """By type URL, of each kind that was asked for."""
        return {
            kind: _progress(each, self._wanted(kind, snapshot) if snapshot else {})
            for kind, each in self._subscriptions.items()
        }

    def is_settled(self, snapshot: Snapshot | None) -> bool:
        """Whether nothing is on its way, nor to be sent."""
        if any(each.waits_for for each in self._subscriptions.values()):
            return False
        return snapshot is None or all(self._due(kind, snapshot) is None for kind in ORDER)

    def _remembered(self) -> dict[str, Subscription]:
        found = {kind: each.latest() for kind, each in self._subscriptions.items()}
        return {kind: each for kind, each in (self._before | found).items() if each.asking}

    def _due(self, kind: str, snapshot: Snapshot) -> Changes | None:
        """What of this kind may be said now; None: nothing."""
        told = self._subscriptions.get(kind)
        if told is None or told.waits_for:
            return None
        found = told.changes(self._wanted(kind, snapshot))
        is_free = all(self._is_there(below, snapshot) for below in FIRST.get(kind, ()))
        lets_go = all(self._is_content(above, snapshot) for above in LAST.get(kind, ()))
        due = Changes(
            found.new if is_free else {},
            found.gone if lets_go else (),
            found.absent,
        )
        return due if due or (told.is_owed and is_free) else None

    def _wanted(self, kind: str, snapshot: Snapshot) -> Mapping[str, Resource]:
        there = snapshot.of(kind)
        if kind == EDS and self._kept:
            there = {**self._kept, **there}
        return self._subscriptions[kind].asked_of(there)

    def _is_there(self, kind: str, snapshot: Snapshot) -> bool:
        told = self._subscriptions.get(kind)
        if told is None:
            return kind not in self._returning
        wanted = told.asked_of(snapshot.of(kind))  # what is only kept leads nowhere
        is_told = not told.waits_for and not told.is_owed and not told.changes(wanted).new
        return is_told and not told.lacks(wanted)

    def _is_content(self, kind: str, snapshot: Snapshot) -> bool:
        told = self._subscriptions.get(kind)
        if told is None:
            return kind not in self._returning
        return told.is_content(self._wanted(kind, snapshot))

    def _keep(self, snapshot: Snapshot) -> None:
        """A cluster on its way, or that cannot go yet, may want endpoints that are no more."""
        if CDS in self._subscriptions:
            known = {**self._kept, **snapshot.of(EDS)}
            clusters = self._subscriptions[CDS].told
            self._kept = {name: known[name] for name in clusters if name in known}

    def _warm(self, kind: str, changes: Changes) -> None:
        if kind != CDS or not changes.new:
            return
        endpoints = self._subscriptions.get(EDS)
        if endpoints is None:
            self._doubt_endpoints()
        elif self.mode is Mode.DELTA:
            endpoints.forget(changes.new)  # an assignment is called like its cluster
        else:
            endpoints.is_owed = bool(endpoints.told)

    def _doubt_endpoints(self) -> None:
        """It may be warming a cluster when it comes back, whatever version it says it has."""
        if EDS in self._before:
            self._before[EDS].is_owed = True


def _progress(told: Subscription, wanted: Mapping[str, Resource]) -> Progress:
    return Progress(
        version_of(wanted.values()),
        told.told_version(),
        version_of(present(told.good)),
        told.why_refused(wanted),
    )
