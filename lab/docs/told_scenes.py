"""A control plane and a proxy talk xDS, on virtual time: the ladders of era 6's chapter.

Both ends are the era's own, without their gRPC: what to send next (planning.py), what to say to it
(following.py), with snapshots that are compiled from the shop's intent. So CI makes the same.
"""

from __future__ import annotations

import heapq
import importlib
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import Any

from lab.docs.recording import Recorder, write
from lab.find import find

ERA = find("6")


def _module(name: str) -> Any:
    """One of the era's: the lab finds eras, and imports none by name."""
    return importlib.import_module(f"{ERA.package}.{name}")


names, told_of, talk = _module("names"), _module("discovery_messages"), _module("talk")
CDS, EDS, LDS, RDS = names.CDS, names.EDS, names.LDS, names.RDS
Snapshot = _module("snapshot").Snapshot
WAY_S = 0.001
DELTA = talk.Mode.DELTA
PAUSE_S = 0.01  # between what was before and what is told
LANES = ("pilot", "proxy of orders")
MADE_BY = "Both ends of era 6's xDS on virtual time; recorded by lab/docs."
NODE = _module("compile").Node(
    "orders", "orders", "", "http://127.0.0.1:7504", "http://127.0.0.1:7505", "unix:/shop/o.sock"
)
THERE = [
    _module("membership").Endpoint(
        "inventory", f"inventory-{number}", version, f"http://127.0.0.1:760{number}"
    )
    for number, version in ((1, "v1"), (2, "v1"), (3, "v2"))
]


@dataclass(frozen=True)
class Scene:
    """before: what the proxy has already; None: it has just started. after: what is told then."""

    title: str
    before: Callable[[], Any] | None
    after: Callable[[], Any]


class Talk:
    """One stream between both; `say` and `hear` are a way apart."""

    def __init__(self, title: str) -> None:
        self.recorder = Recorder(title, LANES, MADE_BY)
        self.is_recording = False
        self.snapshot = Snapshot()
        self._pilot = _module("planning").Stream(DELTA)
        hears = _module("interpret")
        self._wanted = hears.wanted
        self._proxy = _module("following").Following((CDS, LDS), (EDS, RDS), hears.read)
        self._due: list[tuple[float, int, str, Any, Any]] = []
        self._numbers = count()
        self._now_s = self._began_s = 0.0

    def begin(self, snapshot: Any) -> None:
        """The proxy connects, and asks."""
        self.snapshot = snapshot
        self._say(self._proxy.begin(self._wanted))
        self._run()

    def tell(self, snapshot: Any) -> None:
        """Something else is wanted."""
        self._began_s = self._now_s = self._now_s + PAUSE_S
        self.is_recording = True
        self.snapshot = snapshot
        self._plan()
        self._run()

    def _run(self) -> None:
        while self._due:
            self._now_s, _, whom, message, event = heapq.heappop(self._due)
            if event is not None:
                self.recorder.arrive(event, self._now_s - self._began_s)
            if whom == LANES[0]:
                self._pilot.hear(told_of.heard(DELTA, message))
                self._plan()
            else:
                self._say(self._proxy.hear(message, self._wanted))

    def _plan(self) -> None:
        answers = self._pilot.plan(self.snapshot)
        self._send(LANES[0], LANES[1], [told_of.said(DELTA, each) for each in answers])

    def _say(self, requests: list[Any]) -> None:
        self._send(LANES[1], LANES[0], requests)

    def _send(self, begin: str, end: str, messages: list[Any]) -> None:
        for message in messages:
            event = None
            if self.is_recording:
                is_answer = begin == LANES[0]
                label = told(message) if is_answer else asked(message)
                kind = "data" if is_answer else "ack" if message.response_nonce else "call"
                at_s = self._now_s - self._began_s
                event = self.recorder.send(at_s, begin, end, label, kind)
            due = (self._now_s + WAY_S, next(self._numbers), end, message, event)
            heapq.heappush(self._due, due)


def told(answer: Any) -> str:
    """`CDS: inventory v2; gone: inventory v1`."""
    new = ", ".join(sorted(_short(each.name) for each in answer.resources))
    gone = ", ".join(sorted(map(_short, answer.removed_resources)))
    parts = [new, f"gone: {gone}" if gone else ""]
    return f"{names.SHORT[answer.type_url]}: " + "; ".join(filter(None, parts))


def asked(request: Any) -> str:
    """`CDS? all`, `ACK CDS`, `NACK RDS`."""
    kind = names.SHORT[request.type_url]
    if request.HasField("error_detail"):
        return f"NACK {kind}: {request.error_detail.message.partition(' is set')[0]}"
    if request.response_nonce:
        return f"ACK {kind}"
    wanted = [*request.resource_names_subscribe]
    dropped = [f"not {_short(name)}" for name in request.resource_names_unsubscribe]
    return f"{kind}? " + (", ".join([*map(_short, wanted), *dropped]) or "all")


def _short(name: str) -> str:
    """`outbound|inventory|v2` is inventory v2; without a version it is of all instances."""
    direction, *rest = name.split("|")
    return " ".join(filter(None, rest)) if rest else direction


def _shop(wish: str = "intent.toml") -> Any:
    path = ERA.folder / wish
    intent = _module("intent_file").read(path.read_text(), path.name)
    return _module("compile").compile(intent, THERE, NODE)


def _with_a_mirror() -> Any:
    """Something that Envoy could do and our proxy does not understand."""
    snapshot = _shop()
    routes = _module("interpret").KINDS[RDS]()
    snapshot.of(RDS)[names.OUTBOUND].body.Unpack(routes)
    [inventory] = [host for host in routes.virtual_hosts if host.name == "inventory"]
    action = inventory.routes[0].route
    action.request_mirror_policies.add(cluster=action.cluster)
    others = [each for kind in (CDS, EDS, LDS) for each in snapshot.of(kind).values()]
    inbound = [each for name, each in snapshot.of(RDS).items() if name != names.OUTBOUND]
    return Snapshot([*others, *inbound, _module("snapshot").Resource.pack(names.OUTBOUND, routes)])


def _by_weight() -> Any:
    return _shop("intents/by_weight.toml")


def play(scene: Scene) -> str:
    """The recording of one scene, as JSON."""
    both = Talk(scene.title)
    if scene.before is None:
        both.is_recording = True
        both.begin(scene.after())
    else:
        both.begin(scene.before())
        both.tell(scene.after())
    return write(both.recorder.done())


TOLD = {
    "era6-start": Scene("A proxy starts, and knows nothing", None, _shop),
    "era6-canary": Scene("A canary: two clusters come, one goes", _shop, _by_weight),
    "era6-back": Scene("And back: the route first, then the clusters", _by_weight, _shop),
    "era6-nack": Scene("It is told what it does not understand", _shop, _with_a_mirror),
}
