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
OUTBOUND = [theme for theme in THEMES if theme != "targets"]

Played = dict[bool, tuple[tuple[str, int], Upstream]]


def started(name: str) -> Iterator[Played]:
    """By whether the case is slow: one proxy for all cases, and an impatient one.

    A test is a whole theme: half a thousand tests would cost more than half a thousand cases.
    """
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


def told_otherwise(case: Case, played: Played) -> str:
    """What is wrong with what came of a case; empty if it is as the table allows."""
    proxy, upstream = played[case.is_slow]
    verdict = judge(case, play(case, proxy, upstream))
    if case.number in DEVIATIONS:
        return f"{case.number} is no deviation any more" if verdict.is_held else ""
    return "" if verdict.is_held else f"{case.number} {case.name}: {verdict.reason} ({case.rfc})"


@pytest.mark.parametrize("theme", THEMES)
def test_no_bytes_are_understood_in_two_ways(theme: str, inbound: Played) -> None:
    told = [told_otherwise(case, inbound) for case in THEMES[theme]]
    assert "\n".join(filter(None, told)) == ""


@pytest.mark.parametrize("theme", OUTBOUND)
def test_nor_on_the_way_out(theme: str, outbound: Played) -> None:
    cases = [case for case in THEMES[theme] if case.number not in NOT_OUTBOUND]
    told = [told_otherwise(case, outbound) for case in cases]
    assert "\n".join(filter(None, told)) == ""


def test_all_classics_are_there_and_as_many_again() -> None:
    numbers = [case.number for case in CASES]
    assert len(numbers) == len(set(numbers))
    classics = [number for number in numbers if int(number.rstrip("abcdefghijklm")) <= 60]
    assert {int(number.rstrip("abcdefghijklm")) for number in classics} == set(range(1, 61))
    assert len(numbers) > 2 * len(classics)
