"""How a conversation opens and ends, packet by packet: every way through the diagram of states."""

from random import Random

import pytest

from era1_raw_network.codec import ACK, DATA, END, FIN, PING, RST, SYN, SYNACK
from era1_raw_network.connection import GIVE_UP_S, TIME_WAIT_S, Connection
from era1_raw_network.opening import CONNECT_S
from era1_raw_network.states import OPEN, TRANSITIONS, Event, State
from lab.wire import Knobs
from tests.era1.timeline import IDENTITY, Scripted, pair


def test_a_connection_opens_with_three_packets():
    caller = Scripted().connecting(0.0)
    assert caller.says(0.0) == ["SYN 1000 ack 0"]
    caller.hears(0.010, SYNACK, 5000, 1001)
    assert caller.state is State.ESTABLISHED
    assert caller.says(0.010) == ["ACK 1001 ack 5001"]


def test_a_called_one_answers_and_is_open_when_its_number_comes_back():
    called = Scripted()
    called.connection.accept(0.0, 5000)
    assert called.says(0.0) == ["SYNACK 1000 ack 5001"]
    assert called.state is State.SYN_RECEIVED
    called.hears(0.010, ACK, 5001, 1001)
    assert called.state is State.ESTABLISHED


def test_what_was_queued_before_leaves_with_the_acknowledgement_of_the_opening():
    caller = Scripted().connecting(0.0)
    caller.connection.send(b"early")
    assert caller.says(0.0) == ["SYN 1000 ack 0"]
    caller.hears(0.010, SYNACK, 5000, 1001)
    assert caller.says(0.010) == ["DATA 1001 ack 5001 END"]


def test_an_unanswered_syn_is_repeated_ever_later_and_given_up_after_three_seconds():
    caller = Scripted().connecting(0.0)
    said = caller.says_until(10.0)
    assert [time for time, _ in said] == [0.0, 0.25, 0.75, 1.25, 1.75, 2.25, 2.75]
    assert {packet for _, packet in said} == {"SYN 1000 ack 0"}
    assert caller.state is State.CLOSED
    assert caller.error == "no answer within 3 s"


def test_a_repeated_syn_gets_the_same_synack_again():
    called = Scripted().called(0.0)
    called.hears(0.5, SYN, 5000, 0)
    assert called.says(0.5) == ["SYNACK 1000 ack 5001"]


def test_a_synack_whose_acknowledgement_was_lost_is_acknowledged_again():
    caller = Scripted().connecting(0.0)
    caller.says(0.0)
    caller.hears(0.010, SYNACK, 5000, 1001)
    caller.says(0.010)
    caller.hears(0.260, SYNACK, 5000, 1001)
    assert caller.says(0.260) == ["ACK 1001 ack 5001"]


def test_a_synack_for_another_s_syn_opens_nothing():
    caller = Scripted().connecting(0.0)
    caller.says(0.0)
    caller.hears(0.010, SYNACK, 5000, 999)
    assert caller.state is State.SYN_SENT and caller.connection.counts["ignored"] == 1


def test_both_call_at_once_and_one_connection_results():
    one = Scripted().connecting(0.0)
    assert one.says(0.0) == ["SYN 1000 ack 0"]
    one.hears(0.010, SYN, 5000, 0)
    assert one.state is State.SYN_RECEIVED
    assert one.says(0.010) == ["SYNACK 1000 ack 5001"]
    one.hears(0.020, SYNACK, 5000, 1001)
    assert one.state is State.ESTABLISHED


@pytest.mark.parametrize("loss", [0.0, 0.3])
def test_simultaneous_open_on_a_wire_carries_both_ways(loss):
    virtual, one, other = pair(Knobs(loss=loss, delay_s=0.010))
    other.connection.connect(0.0)
    one.connection.send(b"from one")
    other.connection.send(b"from the other")
    assert virtual.run(3.0, lambda: bool(one.heard and other.heard))
    assert (one.heard, other.heard) == ([b"from the other"], [b"from one"])


def test_a_refused_call_ends_at_once():
    caller = Scripted().connecting(0.0)
    caller.says(0.0)
    caller.hears(0.010, RST, 0, 1001)
    assert (caller.state, caller.error) == (State.CLOSED, "refused by the peer")


def test_we_end_first_and_wait_for_stray_copies_before_forgetting():
    us = Scripted().established(0.0)
    us.connection.close(1.0)
    assert us.says(1.0) == ["DATA 1001 ack 5001 FIN"]
    assert us.state is State.FIN_WAIT_1
    us.hears(1.010, ACK, 5001, 1002)
    assert us.state is State.FIN_WAIT_2
    us.hears(1.020, DATA, 5001, 1002, flags=FIN)
    assert us.state is State.TIME_WAIT
    assert us.says(1.021) == ["ACK 1002 ack 5002"]
    us.hears(1.3, DATA, 5001, 1002, flags=FIN)  # it was lost
    assert us.says(1.301) == ["ACK 1002 ack 5002"]
    assert us.says_until(10.0) == []
    assert (us.state, us.error) == (State.CLOSED, "")


def test_the_peer_ends_first_and_we_may_still_send():
    us = Scripted().established(0.0)
    us.hears(1.0, DATA, 5001, 1001, b"question", END)
    us.hears(1.0, DATA, 5002, 1001, flags=FIN)
    assert us.state is State.CLOSE_WAIT and us.connection.ended
    assert us.connection.take() == [b"question"]
    us.connection.send(b"answer")
    us.connection.close(1.5)
    assert us.says(1.5) == ["DATA 1001 ack 5003 END", "DATA 1002 ack 5003 FIN"]
    assert us.state is State.LAST_ACK
    us.hears(1.510, ACK, 5003, 1003)
    assert (us.state, us.error) == (State.CLOSED, "")


def test_half_closed_the_other_half_still_receives():
    us = Scripted().established(0.0)
    us.connection.close(1.0)
    us.says(1.0)
    us.hears(1.010, ACK, 5001, 1002)
    us.hears(1.500, DATA, 5001, 1002, b"late answer", END)
    assert us.connection.take() == [b"late answer"]
    assert us.state is State.FIN_WAIT_2


def test_both_end_at_once():
    us = Scripted().established(0.0)
    us.connection.close(1.0)
    assert us.says(1.0) == ["DATA 1001 ack 5001 FIN"]
    us.hears(1.005, DATA, 5001, 1001, flags=FIN)
    assert us.state is State.CLOSING
    assert us.says(1.006) == ["ACK 1002 ack 5002"]
    us.hears(1.010, ACK, 5002, 1002)
    assert us.state is State.TIME_WAIT
    us.says_until(10.0)
    assert (us.state, us.error) == (State.CLOSED, "")


def test_both_end_at_once_on_a_wire_and_both_are_closed():
    virtual, one, other = pair(Knobs(delay_s=0.010))
    for talker in (one, other):
        virtual.at(1.0, lambda talker=talker: talker.connection.close(virtual.now))
    both = (one.connection, other.connection)
    assert virtual.run(5.0, lambda: all(c.state is State.CLOSED for c in both))
    assert virtual.now == pytest.approx(1.0 + 0.020 + TIME_WAIT_S, abs=0.05)
    assert [c.error for c in both] == ["", ""]


def test_an_end_that_arrives_before_missing_data_waits_for_it():
    us = Scripted().established(0.0)
    us.hears(1.0, DATA, 5002, 1001, flags=FIN)
    assert us.state is State.ESTABLISHED and not us.connection.ended
    assert us.says(1.0) == ["ACK 1001 ack 5001"]
    us.hears(1.1, DATA, 5001, 1001, b"missing", END)
    assert us.connection.take() == [b"missing"]
    assert us.state is State.CLOSE_WAIT and us.connection.ended


def test_our_end_acknowledged_together_with_the_peer_s_end():
    us = Scripted().established(0.0)
    us.connection.close(1.0)
    us.says(1.0)
    us.hears(1.010, DATA, 5001, 1002, flags=FIN)
    assert us.state is State.TIME_WAIT


def test_the_end_waits_until_all_that_was_sent_has_arrived():
    us = Scripted().established(0.0, window=1)
    us.connection.send(b"a")
    us.connection.close(1.0)
    assert us.says(1.0) == ["DATA 1001 ack 5001 END"]
    us.hears(1.010, ACK, 5001, 1002, window=1)
    assert us.says(1.010) == ["DATA 1002 ack 5001 FIN"]


def test_hanging_up_before_the_answer_is_an_error_that_says_so():
    us = Scripted().connecting(0.0)
    us.connection.send(b"never heard")
    us.connection.close(0.1)
    assert (us.state, us.error) == (State.CLOSED, "closed before it was open")


def test_hanging_up_in_mid_opening_takes_effect_when_both_sides_agree():
    us = Scripted().called(0.0)
    us.connection.send(b"welcome")
    us.connection.close(0.001)
    assert us.says_until(0.3) == [(0.25, "SYNACK 1000 ack 5001")]
    us.hears(0.4, ACK, 5001, 1001)
    assert us.says(0.4) == ["DATA 1001 ack 5001 END", "DATA 1002 ack 5001 FIN"]
    assert us.state is State.FIN_WAIT_1


def test_what_would_follow_the_end_of_the_stream_is_refused():
    us = Scripted().established(0.0)
    us.connection.close(1.0)
    with pytest.raises(ValueError, match="send after close"):
        us.connection.send(b"too late")


def test_aborting_tells_the_peer_with_an_exact_reset():
    us = Scripted().established(0.0)
    us.connection.abort(1.0)
    assert us.says(1.0) == ["RST 1001 ack 5001"]
    assert (us.state, us.error) == (State.CLOSED, "aborted here")


def test_a_silent_peer_is_asked_and_then_given_up_in_bounded_time():
    us = Scripted().established(0.0)
    assert us.says_until(20.0) == [(2.0, "PING 1001 ack 5001"), (4.0, "PING 1001 ack 5001")]
    assert us.connection.error == "the peer was silent for 6 s"


def test_a_peer_that_dies_in_mid_transfer_is_given_up_in_bounded_time():
    us = Scripted().established(0.0)
    us.connection.send(b"a" * 1000)
    said = us.says_until(20.0)
    assert said[-1][0] < GIVE_UP_S
    assert us.connection.error == "the peer was silent for 6 s"
    assert us.connection.next_wakeup() is None


def test_an_asked_peer_answers_at_once_and_stays():
    us = Scripted().established(0.0)
    us.hears(2.0, PING, 5001, 1001)
    assert us.says(2.0) == ["ACK 1001 ack 5001"]
    us.hears(4.0, PING, 5001, 1001)
    assert us.says(4.0) == ["ACK 1001 ack 5001"]
    assert us.state is State.ESTABLISHED


@pytest.mark.parametrize("start", [0.1, 0.3, 1e5 + 0.7, 1e9 / 3])
def test_a_timer_that_is_due_takes_effect_at_the_very_moment_it_named(start):
    """(t + 2) - t may be less than 2; on virtual time such a timer stands still for ever."""
    for us in (Scripted().established(start), Scripted().connecting(start)):
        steps = 0
        while (due := us.connection.next_wakeup()) is not None:
            us.says(due)
            steps += 1
            assert steps < 50, due


def test_waiting_for_stray_copies_is_not_cut_short_by_a_reset():
    us = Scripted().established(0.0)
    us.connection.close(1.0)
    us.says(1.0)
    us.hears(1.010, DATA, 5001, 1002, flags=FIN)
    us.hears(1.020, RST, 5002, 1002)  # our copy of an ACK reached a peer that had ended
    assert us.state is State.TIME_WAIT
    us.says_until(10.0)
    assert (us.state, us.error) == (State.CLOSED, "")


# --- the table of transitions, walked


def reach(state):
    """A connection in `state`, brought there by packets and calls alone."""
    us = Scripted()
    if state is State.CLOSED:
        return us
    if state is State.SYN_SENT:
        us.connecting(0.0).says(0.0)
        return us
    if state is State.SYN_RECEIVED:
        return us.called(0.0)
    us.established(0.0)
    if state in (State.CLOSE_WAIT, State.LAST_ACK):
        us.hears(0.0, DATA, 5001, 1001, flags=FIN)
    if state not in (State.ESTABLISHED, State.CLOSE_WAIT):
        us.connection.close(0.0)
        us.says(0.0)
    if state in (State.FIN_WAIT_2, State.TIME_WAIT):
        us.hears(0.0, ACK, 5001, 1002)
    if state in (State.CLOSING, State.TIME_WAIT):
        us.hears(0.0, DATA, 5001, 1002 if state is State.TIME_WAIT else 1001, flags=FIN)
    return us


def next_number(us):
    return us.connection.receiver.next if us.connection.receiver else 5000


CAUSES = {  # what makes an event happen; times are after the state was reached
    Event.CONNECT: lambda us: us.connection.connect(0.0),
    Event.SYN: lambda us: us.hears(0.0, SYN, 5000, 0),
    Event.SYNACK: lambda us: us.hears(0.0, SYNACK, 5000, 1001),
    Event.ACKED: lambda us: us.hears(0.0, ACK, next_number(us), 1001),
    Event.CLOSE: lambda us: us.connection.close(0.0),
    Event.FIN: lambda us: us.hears(0.0, DATA, next_number(us), us.connection.sender.una, flags=FIN),
    Event.FIN_ACKED: lambda us: us.hears(0.0, ACK, next_number(us), 1002),
    Event.EXPIRED: lambda us: us.says_until(TIME_WAIT_S) if us.state is State.TIME_WAIT else None,
    Event.RESET: lambda us: us.connection.abort(0.0),
    Event.GIVE_UP: lambda us: us.says_until(max(CONNECT_S, GIVE_UP_S) + 1),
}


@pytest.mark.parametrize("state", State)
def test_every_state_can_be_reached_by_packets_and_calls(state):
    assert reach(state).state is state


@pytest.mark.parametrize("event", Event)
@pytest.mark.parametrize("state", State)
def test_in_every_state_every_event_does_what_the_table_says(state, event):
    us = reach(state)
    expected = TRANSITIONS.get((state, event), state)
    if event is Event.GIVE_UP and state is State.TIME_WAIT:
        expected = State.CLOSED  # by EXPIRED, which comes first
    if (state, event) == (State.CLOSED, Event.SYN):
        us.connection.accept(0.0, 5000)  # the endpoint's part
    if state is State.SYN_RECEIVED and event is Event.FIN:
        expected = State.CLOSE_WAIT  # a FIN acknowledges our SYN as well, so both events happen
    if state is State.SYN_RECEIVED and event is Event.FIN_ACKED:
        expected = State.SYN_RECEIVED  # acknowledges what was never sent
    CAUSES[event](us)
    us.says(0.0)
    assert us.state is expected


def test_a_walk_of_random_events_never_leaves_the_table(seed):
    random = Random(seed)
    for _ in range(300):
        us = Scripted()
        for _ in range(12):
            before = us.state
            event = random.choice(list(Event))
            if (before, event) == (State.CLOSED, Event.SYN) and us.connection.receiver is None:
                us.connection.accept(0.0, 5000)
            else:
                CAUSES[event](us)
            us.connection.outgoing(0.0)
            assert us.state in reachable(before), f"{before} -> {us.state} on {event} (seed {seed})"


def reachable(state):
    """All states that some sequence of events leads to from `state`."""
    seen, fresh = {state}, [state]
    while fresh:
        here = fresh.pop()
        for target in {new for (old, _), new in TRANSITIONS.items() if old is here} - seen:
            seen.add(target)
            fresh.append(target)
    return seen


def test_only_open_states_carry_data():
    for state in State:
        us = reach(state)
        if state in (State.ESTABLISHED, State.CLOSE_WAIT):
            us.connection.send(b"x")
        said = us.says(0.0)
        assert state in OPEN or not any(packet.startswith("DATA") for packet in said)


def test_a_state_is_part_of_what_a_connection_says_of_itself():
    assert "CLOSED" in repr(Connection(IDENTITY, Random(1)))
    us = Scripted().connecting(0.0)
    us.says_until(10.0)
    assert "because no answer within 3 s" in repr(us.connection)
