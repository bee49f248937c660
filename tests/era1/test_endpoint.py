"""Many conversations at one address: strangers, floods, restarts, and recordings played again."""

import tracemalloc
from itertools import pairwise
from random import Random

import pytest

from era1_raw_network import endpoint as endpoint_module
from era1_raw_network.codec import ACK, DATA, END, PING, RST, SYN, SYNACK, decode, encode
from era1_raw_network.endpoint import BACKLOG, MOST_REPLIES, Endpoint
from era1_raw_network.states import State
from lab.wire import Knobs
from lab.wire.virtual import Virtual

HOME = ("10.7.0.1", 0)


def syn(identity, seq=5000):
    return decode(encode(SYN, 0, 100, 0, identity, seq, 0, 0, 0))


def answers(endpoint, now):
    return [decode(frame) for _, frame in endpoint.outgoing(now)]


def flood(endpoint, first_ms, last_ms, per_ms=10):
    """SYNs from ever new addresses, 10,000 a second; what is answered goes nowhere."""
    for tick_ms in range(first_ms, last_ms):
        for number in range(tick_ms * per_ms, (tick_ms + 1) * per_ms):
            stranger = (f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}", 0)
            endpoint.on_segment(stranger, syn(number), tick_ms / 1000)
        endpoint.wake(tick_ms / 1000)
        list(endpoint.outgoing(tick_ms / 1000))


class Station:
    """An endpoint at one end of the wire; it echoes what it hears, if it accepts calls."""

    def __init__(self, endpoint):
        self.endpoint = endpoint
        self.heard = []
        self.frames = []  # that arrived: a recording

    def receive(self, frame, now):
        self.frames.append(frame)
        segment = decode(frame)
        connection = segment and self.endpoint.on_segment(HOME, segment, now)
        for message in connection.take() if connection else ():
            self.heard.append(message)
            if self.endpoint._accepts:
                connection.send(b"echo " + message)
        if connection and connection.ended:
            connection.close(now)

    def outgoing(self, now):
        return [frame for _, frame in self.endpoint.outgoing(now)]

    def next_wakeup(self):
        return self.endpoint.next_wakeup()

    def wake(self, now):
        self.endpoint.wake(now)


def stations(knobs=None, seed=7):
    random = Random(seed)
    caller, called = Station(Endpoint(random, False)), Station(Endpoint(random, True))
    return Virtual(seed, knobs or Knobs(delay_s=0.005), caller, called), caller, called


def test_many_conversations_at_once_do_not_mix():
    virtual, caller, called = stations(Knobs(delay_s=0.005, loss=0.1, reorder=0.1))
    connections = [caller.endpoint.connect(HOME, 0.0) for _ in range(50)]
    for n, connection in enumerate(connections):
        connection.send(b"%d" % n)
    assert virtual.run(10.0, lambda: len(caller.heard) == 50)
    assert sorted(called.heard, key=int) == [b"%d" % n for n in range(50)]
    assert sorted(caller.heard) == sorted(b"echo %d" % n for n in range(50))


def test_ended_conversations_are_let_go():
    virtual, caller, called = stations()
    for n in range(20):
        virtual.at(n * 0.1, lambda: caller.endpoint.connect(HOME, virtual.now).send(b"x"))
    virtual.run(2.5)
    for connection in caller.endpoint.connections.values():
        connection.close(virtual.now)
    virtual.run(10.0)
    assert not caller.endpoint.connections and not called.endpoint.connections


def test_whoever_does_not_accept_calls_answers_none():
    endpoint = Endpoint(Random(7), accepts=False)
    endpoint.on_segment(HOME, syn(1), 0.0)
    assert answers(endpoint, 0.0) == [] and not endpoint.connections


def test_a_restarted_peer_says_so_and_the_error_comes_within_one_timeout():
    """Half-open (RFC 9293 section 3.5.1): killed and restarted, it remembers nothing."""
    virtual, caller, called = stations()
    connection = caller.endpoint.connect(HOME, 0.0)
    connection.send(b"before")
    virtual.run(1.0)
    called.endpoint = Endpoint(Random(8), True)
    rto_s = connection.rtt.rto_s
    virtual.at(1.5, lambda: connection.send(b"after"))
    assert virtual.run(5.0, lambda: connection.state is State.CLOSED)
    assert connection.error == "reset by the peer"
    assert virtual.now <= 1.5 + rto_s
    assert called.heard == [b"before"]


def test_data_for_a_conversation_that_has_ended_gets_a_reset_that_fits():
    endpoint = Endpoint(Random(7), accepts=True)
    late = decode(encode(DATA, END, 10, 0, 77, 5009, 3, 4242, 0, b"late"))
    endpoint.on_segment(HOME, late, 0.0)
    [reset] = answers(endpoint, 0.0)
    assert (reset.kind, reset.connection, reset.seq) == (RST, 77, 4242)


def test_a_reset_is_never_answered_with_a_reset():
    endpoint = Endpoint(Random(7), accepts=True)
    endpoint.on_segment(HOME, decode(encode(RST, 0, 0, 0, 77, 1, 0, 1, 0)), 0.0)
    assert answers(endpoint, 0.0) == [] and endpoint.counts["ignored"] == 1


def test_first_numbers_have_no_constant_step():
    endpoint = Endpoint(Random(7), accepts=True)
    firsts = []
    for n in range(10_000):
        endpoint.on_segment(("10.9.9.9", n), syn(n), n * 0.01)
        firsts += [answer.seq for answer in answers(endpoint, n * 0.01) if answer.connection == n]
    assert len(firsts) >= 10_000
    steps = {(later - earlier) % 2**32 for earlier, later in pairwise(firsts)}
    assert len(steps) > 9_900
    assert max(firsts) - min(firsts) > 2**31


@pytest.mark.parametrize("rtt_s", [0.001, 0.05])
def test_under_a_flood_of_syns_a_true_caller_still_gets_in(rtt_s):
    """10,000 a second (RFC 4987): memory bounded, the guest served within 3 s."""
    guest, host = Endpoint(Random(1), accepts=False), Endpoint(Random(2), accepts=True)
    virtual = Virtual(7, Knobs(delay_s=rtt_s / 2), Station(guest), Station(host))
    flood(host, 0, 100)
    connection = guest.connect(HOME, 0.1)
    connection.send(b"let me in")
    tracemalloc.start()
    for tick_ms in range(100, 3100):
        flood(host, tick_ms, tick_ms + 1)
        virtual.run(tick_ms / 1000)
        if virtual.endpoints[0].heard and tick_ms >= 500:
            break
    bytes_grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert virtual.endpoints[0].heard == [b"echo let me in"]
    assert len(host.connections) <= BACKLOG + 1
    assert len(host._half_open) <= BACKLOG
    assert host.counts["cookies"] > 4_000
    assert bytes_grown < 1 << 20


def test_a_flood_leaves_nothing_behind():
    host = Endpoint(Random(2), accepts=True)
    flood(host, 0, 300)
    now = 0.3
    while host.connections:
        now = max(now, host.next_wakeup())
        assert now < 5.0
        host.wake(now)
        list(host.outgoing(now))
    assert not host._half_open


def test_a_cookie_is_good_only_for_whom_it_was_made_and_not_for_long():
    def host_and_cookie():
        host = Endpoint(Random(2), accepts=True)
        for n in range(BACKLOG):
            host.on_segment(("10.1.1.1", n), syn(n), 0.0)
        list(host.outgoing(0.0))
        host.on_segment(HOME, syn(7777, 5000), 0.0)
        [synack] = answers(host, 0.0)
        assert synack.kind == SYNACK and synack.ack == 5001
        return host, synack.seq

    def admitted(identity, seq, ack_offset, at, peer=HOME):
        host, cookie = host_and_cookie()
        ack = (cookie + ack_offset) % 2**32
        host.on_segment(peer, decode(encode(ACK, 0, 100, 0, identity, seq, 0, ack, 0)), at)
        return (peer, identity) in host.connections

    assert admitted(7777, 5001, 1, at=0.1)
    assert admitted(7777, 5001, 1, at=4.5)
    assert not admitted(7777, 5001, 1, at=9.0)
    assert not admitted(7778, 5001, 1, at=0.1)
    assert not admitted(7777, 5002, 1, at=0.1)
    assert not admitted(7777, 5001, 2, at=0.1)
    assert not admitted(7777, 5001, 1, at=0.1, peer=("10.7.0.99", 0))


def test_connections_are_bounded_also_when_every_caller_returns_his_cookie(monkeypatch):
    monkeypatch.setattr(endpoint_module, "MOST_CONNECTIONS", 200)
    host = Endpoint(Random(2), accepts=True)
    now = 0.0
    for n in range(200 + 3 * BACKLOG):
        now += 0.0001
        peer = ("10.1.1.1", n)
        host.on_segment(peer, syn(n), now)
        for to, frame in list(host.outgoing(now)):
            answer = decode(frame)
            if to == peer and answer.kind == SYNACK and n >= BACKLOG:  # the first ones stay mute
                fields = (ACK, 0, 100, 0, n, 5001, 0, answer.seq + 1, 0)
                host.on_segment(peer, decode(encode(*fields)), now)
    assert len(host.connections) == 200 + BACKLOG


def test_answers_to_strangers_are_bounded_while_they_wait_to_leave():
    host = Endpoint(Random(2), accepts=True)
    for n in range(10_000):
        host.on_segment(("10.1.1.1", n), decode(encode(PING, 0, 0, 0, n, 1, 1, 1, 0)), 0.0)
    assert len(answers(host, 0.0)) == MOST_REPLIES


# --- a recording, played again


def recorded(under_flood):
    """A whole conversation, as the called side heard it; and the called endpoint, afterwards."""
    virtual, caller, called = stations()
    if under_flood:
        for n in range(BACKLOG):
            called.endpoint.on_segment(("10.1.1.1", n), syn(n), 0.0)
    connection = caller.endpoint.connect(HOME, 0.0)
    connection.send(b"reserve one")
    virtual.run(0.5)
    connection.close(0.5)
    virtual.run(1.0)
    assert called.heard == [b"reserve one"]
    assert bool(called.endpoint.counts["cookies"]) is under_flood
    return called


@pytest.mark.parametrize("under_flood", [False, True])
@pytest.mark.parametrize("later_s", [0.0, 0.5, 2.5, 5.0, 20.0])
def test_a_whole_recorded_conversation_played_again_has_no_effect(under_flood, later_s):
    called = recorded(under_flood)
    now = 1.0 + later_s
    for _ in range(2):
        for frame in list(called.frames):
            called.receive(frame, now)
            called.wake(now)
            called.outgoing(now)
            now += 0.001
    assert called.heard == [b"reserve one"]


@pytest.mark.parametrize("under_flood", [False, True])
def test_a_recording_played_to_the_living_conversation_has_no_effect(under_flood):
    virtual, caller, called = stations()
    if under_flood:
        for n in range(BACKLOG):
            called.endpoint.on_segment(("10.1.1.1", n), syn(n), 0.0)
    connection = caller.endpoint.connect(HOME, 0.0)
    connection.send(b"reserve one")
    virtual.run(0.5)
    for frame in list(called.frames):
        called.receive(frame, 0.5)
    connection.send(b"reserve two")
    assert virtual.run(2.0, lambda: len(caller.heard) == 2)
    assert called.heard == [b"reserve one", b"reserve two"]


@pytest.mark.parametrize("under_flood", [False, True])
def test_a_recording_played_after_a_restart_has_no_effect(under_flood):
    called = recorded(under_flood)
    called.endpoint = Endpoint(Random(99), accepts=True)
    if under_flood:
        for n in range(BACKLOG + 1):
            called.endpoint.on_segment(("10.1.1.1", n), syn(n), 1.0)
    for frame in list(called.frames):
        called.receive(frame, 1.1)
    assert called.heard == [b"reserve one"]


def test_a_peer_that_vanishes_is_forgotten_in_bounded_time_on_both_sides():
    virtual, caller, called = stations()
    caller.endpoint.connect(HOME, 0.0).send(b"x")
    virtual.run(1.0)
    for line in virtual.wire.lines:
        line.knobs = Knobs(partitioned=True)
    virtual.run(8.0)
    assert not caller.endpoint.connections and not called.endpoint.connections
    assert caller.endpoint.next_wakeup() is None and called.endpoint.next_wakeup() is None
