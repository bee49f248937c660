"""Every byte case of `lab.hostile` against our proxy: the edge, and the way out of a service."""

import contextlib
from collections.abc import Iterator

import pytest

from lab.hostile import CASES, Case, Upstream, judge, play
from lab.hostile.cases import THEMES
from lab.hostile.proxies import PROXIES, running
from lab.hostile.proxies.start import ORDINARY, SHORT

# Where our proxy does otherwise than the table allows, and why it may.
DEVIATIONS: dict[str, str] = {}

# What the other listener may do, as it asks by name whoever the service wants, on any path.
NOT_OUTBOUND = {case.number for case in THEMES["targets"]} | {"464"}
OUTBOUND = [case for case in CASES if case.number not in NOT_OUTBOUND]

Played = dict[bool, tuple[tuple[str, int], Upstream]]


def started(name: str) -> Iterator[Played]:
    """By whether the case is slow: one proxy for all cases, and an impatient one."""
    with contextlib.ExitStack() as stack:
        played = {}
        for is_slow, limits in ((False, ORDINARY), (True, SHORT)):
            upstream = stack.enter_context(contextlib.closing(Upstream()))
            proxy = running(PROXIES[name], upstream.port, limits)
            played[is_slow] = (stack.enter_context(proxy), upstream)
        yield played


@pytest.fixture(scope="module")
def inbound() -> Iterator[Played]:
    yield from started("ours")


@pytest.fixture(scope="module")
def outbound() -> Iterator[Played]:
    yield from started("ours-outbound")


def name_of(case: Case) -> str:
    return f"{case.number} {case.name}"


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_no_bytes_are_understood_in_two_ways(case: Case, inbound: Played) -> None:
    proxy, upstream = inbound[case.is_slow]
    verdict = judge(case, play(case, proxy, upstream))
    if case.number in DEVIATIONS:
        assert not verdict.is_held, f"{case.number} is no deviation any more"
        pytest.xfail(DEVIATIONS[case.number])
    assert verdict.is_held, f"{verdict.reason} ({case.rfc})"


@pytest.mark.parametrize("case", OUTBOUND, ids=name_of)
def test_nor_on_the_way_out(case: Case, outbound: Played) -> None:
    proxy, upstream = outbound[case.is_slow]
    verdict = judge(case, play(case, proxy, upstream))
    assert verdict.is_held, f"{verdict.reason} ({case.rfc})"


def test_all_classics_are_there_and_as_many_again() -> None:
    numbers = [case.number for case in CASES]
    assert len(numbers) == len(set(numbers))
    classics = [number for number in numbers if int(number.rstrip("abcdefghijklm")) <= 60]
    assert {int(number.rstrip("abcdefghijklm")) for number in classics} == set(range(1, 61))
    assert len(numbers) > 2 * len(classics)
