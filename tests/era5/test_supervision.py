"""What a supervisor decides, on virtual time."""

import pytest

from era5_sidecar.supervision import TRANSITIONS, Event, State, Supervision
from era5_sidecar.supervision_actions import Announce, End, Limits, Probe, Say, Signal, Start

LIMITS = Limits(probe_every_s=1, patience_s=5, upgrade_s=10, settle_s=1, drain_s=3)
KILLED = -9


def serving() -> Supervision:
    """Proxy 1 serves since 0.5."""
    supervision = Supervision(LIMITS)
    assert supervision.begin(0.0) == [Start(1)]
    assert supervision.ready(1, 0.5) == [Announce(1, is_first=True)]
    return supervision


def without_words(actions: list) -> list:
    return [each for each in actions if not isinstance(each, Say)]


def until(supervision: Supervision, begin: float, end: float) -> list:
    """All that is done from `begin` to `end`, with a tick whenever it asks for one."""
    done = []
    while (now := max(supervision.wakes_at(), begin)) <= end:
        actions = supervision.tick(now)
        done += [(now, each) for each in actions]
        begin = now
        if not actions and supervision.wakes_at() <= now:
            raise AssertionError(f"awake at {now} with nothing to do")
    return done


def test_the_first_ready_is_announced_once():
    supervision = serving()
    assert supervision.ready(1, 0.6) == []
    assert supervision.state is State.SERVING


def test_a_proxy_that_dies_after_a_while_is_started_again_at_once():
    supervision = serving()
    actions = supervision.exited(1, KILLED, 60.0)
    assert actions == [Say("the proxy was ended by signal 9 after 60 s; started again"), Start(2)]
    assert supervision.state is State.STARTING
    assert supervision.ready(2, 60.2) == [Announce(2, is_first=False)]


def test_one_that_keeps_dying_is_started_after_pauses_that_double_up_to_a_second():
    supervision, now, pauses = serving(), 60.0, []
    for proxy in range(1, 10):
        supervision.exited(proxy, 1, now)
        if supervision.state is State.PAUSING:
            pauses.append(round(supervision.wakes_at() - now, 3))
            assert supervision.tick(now) == []
            now = supervision.wakes_at()
            assert supervision.tick(now) == [Start(proxy + 1)]
        now += 0.1
    # 1 had lived, 2 died early for the first time
    assert pauses == [0.05, 0.1, 0.2, 0.4, 0.8, 1.0, 1.0]


def test_a_second_of_life_ends_the_doubling():
    supervision = serving()
    for proxy in (1, 2, 3):
        supervision.exited(proxy, 1, 60.0)
    assert supervision.state is State.PAUSING
    supervision.tick(60.05)
    supervision.ready(4, 60.1)
    assert without_words(supervision.exited(4, 1, 61.06)) == [Start(5)]


def test_what_cannot_start_the_first_time_is_not_tried_again():
    supervision = Supervision(LIMITS)
    supervision.begin(0.0)
    assert supervision.exited(1, 2, 0.1) == [End(2)]
    assert supervision.state is State.ENDED


def test_what_could_start_once_is_tried_again_as_the_file_may_be_mended():
    supervision = serving()
    supervision.exited(1, KILLED, 60.0)
    assert without_words(supervision.exited(2, 2, 60.1)) == [Start(3)]


# Upgrades.


def upgrading() -> Supervision:
    supervision = serving()
    assert supervision.upgrade(20.0) == [Start(2, is_upgrade=True)]
    return supervision


def test_the_old_one_is_told_to_drain_only_when_the_new_one_is_ready():
    supervision = upgrading()
    assert not any(isinstance(each, Signal) for _, each in until(supervision, 20.0, 24.0))
    actions = supervision.ready(2, 24.0)
    assert without_words(actions) == [Announce(2, is_first=False), Signal(1, "USR2")]
    assert supervision.exited(1, 0, 25.0) == []
    assert supervision.state is State.SERVING


def test_an_old_one_that_does_not_go_is_ended_after_its_time_to_drain():
    supervision = upgrading()
    supervision.ready(2, 21.0)
    done = until(supervision, 21.0, 26.5)
    assert [each for each in done if isinstance(each[1], Signal)] == [(26.0, Signal(1, "KILL"))]


def test_a_new_one_that_is_not_ready_in_time_is_ended_and_the_old_one_stays():
    supervision = upgrading()
    for now in range(21, 30):
        supervision.heard()
        assert without_words(supervision.tick(float(now))) == [Probe()]
    killed, said = supervision.tick(30.0)
    assert killed == Signal(2, "KILL")
    assert said == Say("no upgrade: the new proxy was not ready within 10 s; the old one stays")
    assert supervision.exited(2, KILLED, 30.1) == []
    assert supervision.state is State.SERVING


def test_a_new_one_that_becomes_ready_too_late_takes_nothing_over():
    supervision = upgrading()
    supervision.heard()
    supervision.tick(30.0)
    assert supervision.ready(2, 30.05) == []


def test_a_new_one_that_dies_leaves_the_old_one_as_it_was():
    supervision = upgrading()
    why = "no upgrade: the new proxy ended with exit code 2; the old one stays"
    assert supervision.exited(2, 2, 20.1) == [Say(why)]
    assert supervision.state is State.SERVING
    assert supervision.upgrade(30.0) == [Start(3, is_upgrade=True)]


def test_if_the_old_one_dies_during_an_upgrade_the_new_one_is_all_there_is():
    supervision = upgrading()
    assert without_words(supervision.exited(1, KILLED, 20.1)) == []
    assert supervision.state is State.STARTING
    assert supervision.ready(2, 20.5) == [Announce(2, is_first=False)]
    assert until(supervision, 20.5, 20.6) == []


@pytest.mark.parametrize("state", ["starting", "pausing", "upgrading", "stopping"])
def test_an_upgrade_is_refused_in_words_unless_one_proxy_serves(state):
    supervision = serving()
    if state == "starting":
        supervision.exited(1, 1, 60.0)
    if state == "pausing":
        for proxy in (1, 2, 3):
            supervision.exited(proxy, 1, 60.0)
    if state == "upgrading":
        supervision.upgrade(60.0)
    if state == "stopping":
        supervision.stop(60.0)
    assert supervision.upgrade(60.0) == [Say(f"no upgrade: the proxy is {state}, not serving")]


# Life.


def test_a_proxy_that_says_nothing_is_ended_after_its_patience():
    supervision = serving()
    done = until(supervision, 0.5, 7.0)
    assert [now for now, each in done if each == Probe()] == [1, 2, 3, 4, 5, 7]
    assert [each for now, each in done if now == 6.0] == [
        Say("the proxy has said nothing for 5 s: it is ended"),
        Signal(1, "KILL"),
    ]


def test_one_answer_is_enough_to_be_alive():
    supervision = serving()
    for now in range(1, 100):
        assert supervision.tick(float(now)) == [Probe()]
        if now % 4 == 0:
            supervision.heard()


def test_a_proxy_that_is_still_starting_has_the_time_of_a_start():
    supervision = Supervision(LIMITS)
    supervision.begin(0.0)
    done = until(supervision, 0.0, 12.0)
    assert [now for now, each in done if each == Signal(1, "KILL")] == [11.0]


def test_a_supervisor_that_was_suspended_does_not_blame_the_proxy():
    supervision = serving()
    supervision.tick(1.0)
    assert supervision.tick(3600.0) == [Probe()]


# The end.


def test_stop_ends_all_and_then_itself():
    supervision = upgrading()
    assert supervision.stop(21.0) == [Signal(1, "TERM"), Signal(2, "TERM")]
    assert supervision.exited(2, 0, 21.1) == []
    assert supervision.exited(1, 0, 22.0) == [End(0)]
    assert supervision.state is State.ENDED


def test_stop_waits_for_settling_and_draining_and_not_longer():
    supervision = serving()
    supervision.stop(21.0)
    done = until(supervision, 21.0, 28.0)
    assert done == [(21.0 + 1 + 3 + 2, Signal(1, "KILL"))]
    assert supervision.exited(1, KILLED, 27.1) == [End(0)]


def test_stop_in_a_pause_is_the_end():
    supervision = serving()
    for proxy in (1, 2, 3):
        supervision.exited(proxy, 1, 60.0)
    assert supervision.stop(60.01) == [End(0)]


def test_stop_is_heard_once():
    supervision = serving()
    assert supervision.stop(21.0)
    assert supervision.stop(21.1) == []


def test_a_reload_goes_to_whoever_serves():
    supervision = serving()
    assert supervision.reload() == [Signal(1, "HUP")]


def test_a_proxy_that_is_still_starting_is_told_to_reload_when_it_is_ready():
    supervision = serving()
    supervision.upgrade(20.0)
    assert supervision.reload() == [Signal(1, "HUP")]
    assert without_words(supervision.ready(2, 21.0))[-1] == Signal(2, "HUP")
    assert supervision.ready(2, 21.1) == []
    supervision.exited(2, 1, 60.0)
    assert supervision.reload() == []
    assert supervision.ready(3, 61.0) == [Announce(3, is_first=False), Signal(3, "HUP")]


def test_what_a_successor_says_is_no_life_of_the_old_one():
    supervision = upgrading()
    for now in range(21, 26):
        supervision.heard(2)
        assert supervision.tick(float(now)) == [Probe()]
    assert Signal(1, "KILL") in supervision.tick(26.0)


def test_every_state_can_be_reached_and_left_but_the_last():
    assert {*TRANSITIONS.values()} | {State.STARTING} == {*State}
    assert {state for state, _ in TRANSITIONS} == {*State} - {State.ENDED}
    assert {event for _, event in TRANSITIONS} == {*Event}
