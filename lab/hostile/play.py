"""Play one case through a proxy: what the client saw, what the upstream received."""

from __future__ import annotations

import time
from dataclasses import dataclass

from lab.hostile.case import BAD_GATEWAY, NEXT, Case, Passed
from lab.hostile.client import Client, Heard
from lab.hostile.upstream import Record, Upstream

Address = tuple[str, int]
PROBE = NEXT.replace(b"next", b"probe")
PROBES = 3  # an upstream that closes may meet the next request on its way: RFC 9112 §9.3.1


@dataclass(frozen=True)
class Seen:
    """Both ends of a case, and how the next client on a new connection fared."""

    heard: Heard
    received: tuple[Record, ...]
    probe: Heard
    seconds: float

    @property
    def complete(self) -> tuple[Record, ...]:
        """The requests that the upstream has whole."""
        return tuple(r for r in self.received if r.request and r.request.is_complete)

    def told(self) -> str:
        """In a line: the client's answers and end, the upstream's complete requests."""
        statuses = [f"{a.status}{'' if a.is_complete else ' cut'}" for a in self.heard.answers]
        interim = [str(status) for status in self.heard.interim]
        came = [f"{r.request.method} {r.request.target}" for r in self.complete if r.request]
        rest = [f"rest {self.heard.rest[:30]!r}"] if self.heard.rest else []
        client = ", ".join([*interim, *statuses, *rest, self.heard.end])
        return f"client: {client}; upstream: {', '.join(c[:60] for c in came) or 'nothing'}"


def play(case: Case, proxy: Address, upstream: Upstream) -> Seen:
    """Send the case through the proxy at this address; OSError if it does not listen."""
    upstream.begin(case.answer, case.at_head)
    began = time.monotonic()
    heard = Client(proxy).play(case.steps, methods(case))
    seconds = time.monotonic() - began
    probe = Client(proxy).play((PROBE,), ("GET",))
    for _ in range(PROBES - 1):
        if probe.answers and probe.answers[0].status not in BAD_GATEWAY:
            break
        probe = Client(proxy).play((PROBE,), ("GET",))
    return Seen(heard, tuple(upstream.received()), probe, seconds)


def methods(case: Case) -> tuple[str, ...]:
    """Those of the requests that the client means to send, in order."""
    also = next((len(each.also) for each in case.allowed if isinstance(each, Passed)), 0)
    return (case.method, *["GET"] * also, *["GET"] * case.next)
