"""Play all cases through one proxy."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lab.hostile.case import Case
from lab.hostile.judge import Verdict, judge
from lab.hostile.play import play
from lab.hostile.proxies import Starts, running
from lab.hostile.proxies.start import ORDINARY, SHORT
from lab.hostile.upstream import Upstream


@dataclass(frozen=True)
class Row:
    """One case and what came of it."""

    case: Case
    verdict: Verdict
    seconds: float


def run(starts: Starts, cases: Sequence[Case]) -> Iterator[Row]:
    """Each case, one after the other. Raises Missing if the proxy cannot be started."""
    for is_slow, limits in ((False, ORDINARY), (True, SHORT)):
        chosen = [case for case in cases if case.is_slow == is_slow]
        if not chosen:
            continue
        with (
            contextlib.closing(Upstream()) as upstream,
            running(starts, upstream.port, limits) as address,
        ):
            for case in chosen:
                seen = play(case, address, upstream)
                yield Row(case, judge(case, seen), seen.seconds)
