"""One kind of resources on one stream: what is asked for, what has been told, what came of it.

Each answer is waited for before the next of its kind; whatever has changed meanwhile is in that.

                       tell
          +--------------------------------+
          |                                v
       SETTLED                          WAITING      at most one answer on its way
          ^                                |
          |      acknowledged: it is good  |
          +--------------------------------+
          ^      refused: the last good    |
          |      counts as told, and what  |
          +------was new is never resent---+

       told     name -> what the client has, or will when it has taken what is on its way
       good     name -> what it has acknowledged
       refused  (name, version) -> why; another version of that name is sent

A refusal names a culprit among several (Envoy does): then the others are sent again without it. If
it names none, all that was new is refused. Each refusal takes something out, so this ends.

All of this is one state, and so in one file, longer than others.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from era6_control_plane.belief import (
    Changes,
    Resources,
    doubted,
    nothing,
    only,
    present,
    speaks_of,
    version_in,
    without_doubt,
)
from era6_control_plane.names import WILDCARD
from era6_control_plane.resource_names import MOST_NAMES, ResourceNames
from era6_control_plane.snapshot import Resource, version_of
from era6_control_plane.talk import Answer, Heard, Mode, Request

MOST_REFUSED = 1000  # remembered of one kind; then the oldest is forgotten


class Subscription:
    """See above. Whether and when something may be said is decided in planning.py."""

    def __init__(self, kind: str, mode: Mode, before: Subscription | None = None) -> None:
        """before: of this kind on the last stream of the same client."""
        self.kind = kind
        self.mode = mode
        self.told: Resources = {}
        self.good: Resources = {}
        self.refused: dict[tuple[str, str], str] = {}
        self.waits_for: Answer | None = None
        self.is_owed = False  # an answer, even if there is nothing new in it
        self.asking = ResourceNames(kind, mode)
        self._is_first = True
        self._nonce = ""
        self._claim = ""  # SOTW: the version it says it has, until we have compared
        self._before = before

    def hear(self, request: Request) -> Heard:
        """Raises ValueError if it asks for too much."""
        if len(request.has) > MOST_NAMES:
            raise ValueError(f"{len(request.has)} versions; accepted: up to {MOST_NAMES}")
        if self._is_first:
            self._greet(request)
        heard = self._judge(request)
        asks_more = self.asking.hear(request)
        if self.mode is Mode.DELTA:  # it asks again, or no longer: either way it has it no more
            self.forget((set(request.names) - request.has.keys()) | set(request.dropped))
        if self.kind in WILDCARD and asks_more and not self._claim and not request.has:
            self.is_owed = True  # that there is none is an answer, too
        self._drop_unasked()
        self._is_first = False
        return heard

    def latest(self) -> Subscription:
        """What is known best of this client: this, or what went before if this is too new."""
        return self._before or self

    def asked_of(self, there: Mapping[str, Resource]) -> Mapping[str, Resource]:
        """What of all that is there it is to have."""
        if self.asking.is_wildcard:
            return there
        return {name: there[name] for name in self.asking.names & there.keys()}

    def recognise(self, wanted: Mapping[str, Resource]) -> None:
        """SOTW: what a client has that comes back with a version, if we know that version."""
        claim, self._claim = self._claim, ""
        before, self._before = self._before, None
        if not claim:
            return
        if before and before.may_lack(self.asking):
            self.is_owed = True
        elif version_of(wanted.values()) == claim:
            self.told = self.good = dict(wanted)
        elif before and claim in (version_of(before.good.values()), before.told_version()):
            self.good = dict(before.good)
            # the last answer was perhaps lost, and perhaps only its acknowledgement
            self.told = self.good | {
                name: one if one == self.good.get(name) else doubted(one)
                for name, one in before.told.items()
            }
        else:
            self.is_owed = True
        self.told, self.good = dict(self.told), dict(self.good)
        self._drop_unasked()

    def may_lack(self, asking: ResourceNames) -> bool:
        """Whether a client that comes back may wait for what its old version does not show.

        Of what it asks for by name: something was on its way, or it has dropped and asked again.
        """
        if self.kind in WILDCARD:
            return False
        return bool(self.waits_for) or self.is_owed or self.asking.names != asking.names

    def changes(self, wanted: Mapping[str, Resource]) -> Changes:
        """What is to be said that has not been. A refused one is left at its last good version."""
        new = {}
        for name, each in wanted.items():
            target = self._acceptable(each)
            if target and version_in(self.told, name) != target.version:
                new[name] = target
        gone = tuple(self._there().keys() - wanted.keys() if self._can_take_back else ())
        absent: tuple[str, ...] = ()
        if self.mode is Mode.DELTA:
            absent = tuple(sorted(self.asking.names - wanted.keys() - self.told.keys()))
        return Changes(new, gone, absent)

    def lacks(self, wanted: Mapping[str, Resource]) -> bool:
        """Whether something that is wanted was refused, and nothing older is there instead."""
        return any(not version_in(self.told, name) for name in wanted)

    def is_content(self, wanted: Mapping[str, Resource]) -> bool:
        """Whether the client has all that is wanted, nothing else, and has said so."""
        there = self._there()
        if not self._can_take_back:
            there = {name: version for name, version in there.items() if name in wanted}
        return not self.waits_for and there == {name: one.version for name, one in wanted.items()}

    def tell(self, changes: Changes, nonce: str) -> Answer:
        """The answer that says this; nonce: its own. From now on its ACK or NACK is waited for."""
        self.is_owed = False
        self.told.update(changes.new)
        for name in (*changes.gone, *changes.absent):
            self.told.pop(name, None)
            if self.mode is Mode.DELTA and name in self.asking.names:
                self.told[name] = nothing(name)
        if self.mode is Mode.SOTW:
            self.told = {name: without_doubt(one) for name, one in self.told.items()}
        version = self.told_version()
        removed: tuple[str, ...] = ()
        resources = tuple(present(self.told))
        if self.mode is Mode.DELTA:
            resources, removed = tuple(changes.new.values()), (*changes.gone, *changes.absent)
        self._nonce = nonce
        self.waits_for = Answer(self.kind, nonce, version, resources, removed)
        return self.waits_for

    def forget(self, names: Iterable[str]) -> None:
        """These are to be told anew, whatever the client has."""
        for name in names:
            self.told.pop(name, None)

    def told_version(self) -> str:
        """One for all that it has been told."""
        return version_of(present(self.told))

    def why_refused(self, wanted: Mapping[str, Resource]) -> str | None:
        """What the client says against what is wanted now."""
        said = [self.refused.get((name, each.version)) for name, each in wanted.items()]
        return next((why for why in said if why is not None), None)

    def _judge(self, request: Request) -> Heard:
        answer = self.waits_for
        if answer is None or request.nonce != answer.nonce:
            # Envoy repeats its last request when it warms a cluster anew: not a word about it
            return Heard.ASKED if request.nonce in ("", self._nonce) else Heard.STALE
        self.waits_for = None
        if request.refused is None:
            self._accept(answer)
            return Heard.ACK
        self._refuse(answer, request.refused)
        return Heard.NACK

    def _accept(self, answer: Answer) -> None:
        if self.mode is Mode.SOTW:
            self.good.clear()
        self.good.update({each.name: each for each in answer.resources})
        for name in answer.removed:
            self.good.pop(name, None)

    def _refuse(self, answer: Answer, why: str) -> None:
        new = [
            each for each in answer.resources if version_in(self.good, each.name) != each.version
        ]
        if not new:  # nothing that could be held back: to say it again would never end
            self._accept(answer)
            return
        guilty = [one for one in new if speaks_of(why, one.name)] or new
        for each in guilty:
            self.refused[each.name, each.version] = why
        while len(self.refused) > MOST_REFUSED:
            del self.refused[next(iter(self.refused))]
        self._fall_back(answer)
        for each in new:
            if each not in guilty:  # it may be there, or not
                self.told[each.name] = doubted(each)

    def _fall_back(self, answer: Answer) -> None:
        """To the last good; whether it has let go of what it was told is gone, nobody knows."""
        spoken = {each.name for each in answer.resources}
        touched = spoken | set(answer.removed)
        if self.mode is Mode.SOTW:
            touched |= self.told.keys() | self.good.keys()
        for name in touched:
            self.told.pop(name, None)
            if name in self.good and name in spoken:
                self.told[name] = self.good[name]
            elif name in self.good:
                self.told[name] = doubted(self.good.pop(name))

    def _greet(self, request: Request) -> None:
        """A client that comes back has not changed its mind; one that is new has yet to see."""
        if self._before and (request.version or request.has):
            self.refused = dict(self._before.refused)
        self._claim = request.version
        self.good = {name: only(name, version) for name, version in request.has.items()}
        is_sure = not self._before or not self._before.may_lack(self._before.asking)
        self.told = dict(self.good) if is_sure else {}

    def _drop_unasked(self) -> None:
        self.told = {name: each for name, each in self.told.items() if self.asking.covers(name)}
        self.good = {name: each for name, each in self.good.items() if self.asking.covers(name)}

    @property
    def _can_take_back(self) -> bool:
        """In the state of the world what is left out of an answer is gone, but only of these."""
        return self.mode is Mode.DELTA or self.kind in WILDCARD

    def _there(self) -> dict[str, str]:
        return {name: each.version for name, each in self.told.items() if each.version}

    def _acceptable(self, resource: Resource) -> Resource | None:
        if (resource.name, resource.version) not in self.refused:
            return resource
        good = self.good.get(resource.name)
        return good if good and good.type_url else None  # of what it claims we have no body
