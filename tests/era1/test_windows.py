"""Flow control: nobody sends what the peer has no room for, and nobody waits for ever for room."""

import hashlib
from itertools import pairwise

import pytest

from era1_raw_network.codec import ACK, DATA, END, PING, decode
from era1_raw_network.states import State
from lab.wire import Knobs
from tests.era1.timeline import Scripted, pair


def test_nothing_leaves_through_a_shut_window_but_ever_rarer_questions():
    us = Scripted().established(0.0, window=0)
    us.connection.send(b"waits")
    asked, window_opens_s = [], 60.0
    now = 0.0
    assert us.says(now) == []
    while (due := us.connection.next_wakeup()) < window_opens_s:
        now = due
        said = us.says(now)
        asked += [now for packet in said if packet == "PING 1001 ack 5001"]
        assert all(packet.startswith("PING") for packet in said)
        if said:
            us.hears(now + 0.001, ACK, 5001, 1001, window=0)
    gaps = [later - earlier for earlier, later in pairwise(asked)]
    assert gaps[:6] == pytest.approx([0.02, 0.04, 0.08, 0.16, 0.32, 0.64], rel=0.05)
    assert max(gaps) <= 1.0 and len(asked) < 120  # and so it goes on
    assert us.state is State.ESTABLISHED  # the peer lives: full is not dead
    us.hears(60.0, ACK, 5001, 1001, window=10)
    assert us.says(60.0) == ["DATA 1001 ack 5001 END"]


@pytest.mark.parametrize("rtt_s", [0.001, 0.1])
def test_a_listener_that_sleeps_a_minute_gets_everything_when_it_wakes(rtt_s):
    message = b"m" * 500_000
    virtual, speaker, listener = pair(Knobs(delay_s=rtt_s / 2), window=20)
    listener.listens = False
    for _ in range(30):
        speaker.connection.send(message[:20_000])
    virtual.run(1.0)
    sent_by_then = speaker.frames
    virtual.run(60.0)
    assert speaker.frames - sent_by_then < 100
    assert len(listener.connection.receiver._messages) <= 20
    listener.listens = True
    listener.listen()
    assert virtual.run(70.0, lambda: len(listener.heard) == 30)


def test_a_lost_window_update_is_made_good_by_a_probe():
    virtual, speaker, listener = pair(Knobs(delay_s=0.005), window=4)
    listener.listens = False
    for _ in range(8):
        speaker.connection.send(b"x" * 100)
    virtual.run(1.0)
    assert speaker.connection.sender.blocked
    virtual.wire.lines[1].follow(["drop"])  # the next packet back is the update
    listener.listen()
    virtual.run(1.001)
    assert virtual.wire.lines[1].counts["lost"] == 1
    listener.listens = True
    assert virtual.run(2.1, lambda: len(listener.heard) == 8)


def test_what_is_queued_behind_a_shut_window_also_asks():
    """The window shut first, the message came later: a timer must run all the same."""
    us = Scripted().established(0.0, window=0)
    assert us.says(0.5) == []
    us.connection.send(b"waits")
    assert us.says(0.5) == []
    assert us.connection.next_wakeup() < 1.0


def test_the_window_never_shrinks_as_seen_on_the_wire():
    virtual, speaker, listener = pair(Knobs(delay_s=0.005, loss=0.05), window=40)
    listener.listens = False
    for _ in range(300):
        speaker.connection.send(b"x" * 1000)
    for tick in range(1, 200):
        virtual.at(tick * 0.05, listener.listen)
    edges = []
    outgoing = listener.outgoing

    def watched(now):
        frames = outgoing(now)
        edges.extend((segment := decode(frame)).ack + segment.window for frame in frames)
        return frames

    listener.outgoing = watched
    assert virtual.run(12.0, lambda: len(listener.heard) == 300)
    assert len(edges) > 100
    assert all(later >= earlier for earlier, later in pairwise(edges[1:]))


def test_a_peer_that_takes_its_window_back_does_not_confuse_us():
    us = Scripted().established(0.0, window=10)
    us.connection.send(b"x" * 800)
    assert len(us.says(0.0)) == 8
    us.hears(0.010, ACK, 5001, 1003, window=0, echo=2)  # RFC 9293 says it must not
    us.connection.send(b"y")
    us.hears(0.011, ACK, 5001, 1009, window=0, echo=8)
    assert us.says(0.011) == []
    us.hears(0.500, ACK, 5001, 1009, window=1, echo=8)
    assert us.says(0.500) == ["DATA 1009 ack 5001 END"]


@pytest.mark.parametrize("window", [1, 2, 3])
def test_tiny_windows_give_whole_segments_not_a_flood_of_crumbs(window):
    """Silly window syndrome (RFC 813): windows count segments, and open in large steps only."""
    message = b"m" * 50_000
    virtual, speaker, listener = pair(Knobs(delay_s=0.005), window=window)
    speaker.connection.send(message)
    assert virtual.run(20.0, lambda: listener.heard == [message])
    segments = -(-len(message) // speaker.connection.sender.mss)
    most = 1.3 if window > 1 else 2  # alone in flight, a segment waits for a delayed ACK
    assert speaker.frames < most * segments + 5
    assert listener.frames < most * segments + 5


def test_room_is_announced_once_in_a_large_step_when_the_application_takes():
    us = Scripted(window=10).established(0.0)
    for n in range(6):
        us.hears(0.1, DATA, 5001 + n, 1001, b"x", END)
    us.says(0.1)
    assert decode(us.frames[-1]).window == 4
    us.connection.take()
    assert us.says(0.2) == ["ACK 1001 ack 5007"]
    assert decode(us.frames[-1]).window == 10
    us.hears(0.3, DATA, 5007, 1001, b"x", END)
    us.says(0.3)
    us.connection.take()
    assert us.says(0.4) == []  # one segment more is not worth a packet


def test_segments_sent_into_a_shut_window_are_dropped_and_told():
    us = Scripted(window=2).established(0.0)
    for n in range(4):
        us.hears(0.1, DATA, 5001 + n, 1001, b"x", END)
    said = us.says(0.1)
    assert said == ["ACK 1001 ack 5003"] and decode(us.frames[0]).window == 0
    assert us.connection.take() == [b"x", b"x"]


def test_a_pinged_receiver_tells_its_window():
    us = Scripted(window=2).established(0.0)
    us.hears(0.1, PING, 5001, 1001)
    assert us.says(0.1) == ["ACK 1001 ack 5001"] and decode(us.frames[0]).window == 2


def test_the_whole_window_is_used_on_a_long_path():
    message = bytes(range(256)) * 4000
    virtual, speaker, listener = pair(Knobs(delay_s=0.050))
    speaker.connection.send(message)
    assert virtual.run(5.0, lambda: bool(listener.heard))
    assert hashlib.sha256(listener.heard[0]).digest() == hashlib.sha256(message).digest()
    assert virtual.now < 1.0  # ten round trips: stop and wait would take seventy
