"""Every byte case of `lab.hostile` against our proxy: one process for all, a second, impatient one
for those that wait.
"""

import contextlib
from collections.abc import Iterator

import pytest

from lab.hostile import CASES, Case, Upstream, judge, play
from lab.hostile.proxies import PROXIES, running
from lab.hostile.proxies.start import ORDINARY, SHORT

# Where our proxy does otherwise than the table allows, and why it may.
DEVIATIONS: dict[str, str] = {}

Played = tuple[tuple[str, int], Upstream]


@pytest.fixture(scope="module")
def proxies() -> Iterator[dict[bool, Played]]:
    """By whether the case is slow. Started together."""
    with contextlib.ExitStack() as stack:
        started = {}
        for is_slow, limits in ((False, ORDINARY), (True, SHORT)):
            upstream = stack.enter_context(contextlib.closing(Upstream()))
            proxy = running(PROXIES["ours"], upstream.port, limits)
            started[is_slow] = (stack.enter_context(proxy), upstream)
        yield started


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.number} {case.name}")
def test_no_bytes_are_understood_in_two_ways(case: Case, proxies: dict[bool, Played]) -> None:
    proxy, upstream = proxies[case.is_slow]
    verdict = judge(case, play(case, proxy, upstream))
    if case.number in DEVIATIONS:
        assert not verdict.is_held, f"{case.number} is no deviation any more"
        pytest.xfail(DEVIATIONS[case.number])
    assert verdict.is_held, f"{verdict.reason} ({case.rfc})"


def test_all_classics_are_there_and_as_many_again() -> None:
    numbers = [case.number for case in CASES]
    assert len(numbers) == len(set(numbers))
    classics = {int(number.rstrip("abcdefghijklmno")) for number in numbers} & set(range(1, 61))
    assert classics == set(range(1, 61))
    assert len(numbers) > 2 * len([number for number in numbers if len(number.rstrip("abc")) < 3])
