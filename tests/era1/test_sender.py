"""The sending half alone: what goes out, when it is believed lost, how long it waits."""

import pytest

from era1_raw_network.codec import END, FIN
from era1_raw_network.flight import SAFE_PAYLOAD
from era1_raw_network.sender import LONGEST_SILENCE_S, Sender

MSS = 100


def sender(mss=MSS, window=1000):
    new = Sender(1, mss)
    new.peer_window = window
    return new


def sends(sender, now):
    """Let everything leave that may; the seqs, in order. Packet numbers count up from 1."""
    out = []
    pieces = [*sender.probe(), *sender.due(now, 1000)]
    for seq, piece in pieces:
        sender.number(now, seq, piece)
        out.append(seq)
    sender.arm(now)
    return out


def hears(sender, now, ack, sacked=(), echo=0, window=1000):
    bits = sum(1 << seq - ack for seq in sacked)
    return sender.on_ack(now, ack, bits, echo, 0.0, window)


def test_a_message_is_cut_into_segments_and_only_the_last_is_marked():
    s = sender()
    s.push(b"a" * 250)
    assert [(len(payload), flags) for payload, flags in s.queue] == [(100, 0), (100, 0), (50, END)]


@pytest.mark.parametrize(("length", "segments"), [(0, 1), (1, 1), (100, 1), (101, 2), (200, 2)])
def test_the_cut_is_exact_at_its_edges(length, segments):
    s = sender()
    s.push(b"a" * length)
    assert len(s.queue) == segments and s.queue[-1][1] == END
    assert b"".join(payload for payload, _ in s.queue) == b"a" * length


def test_the_end_has_a_number_of_its_own():
    s = sender()
    s.push(b"a")
    s.finish()
    assert sends(s, 0.0) == [1, 2]
    hears(s, 0.01, ack=2, echo=1)
    assert not s.idle
    hears(s, 0.02, ack=3, echo=2)
    assert s.idle


def test_the_peer_s_window_is_obeyed_to_the_segment():
    s = sender(window=3)
    s.push(b"a" * 1000)
    assert sends(s, 0.0) == [1, 2, 3]
    hears(s, 0.01, ack=2, echo=1, window=3)
    assert sends(s, 0.01) == [4]


def test_three_later_arrivals_mean_that_a_packet_is_lost():
    s = sender()
    s.push(b"a" * 600)
    assert sends(s, 0.0) == [1, 2, 3, 4, 5, 6]
    hears(s, 0.010, ack=1, sacked=[2], echo=2)
    assert sends(s, 0.010) == []
    hears(s, 0.010, ack=1, sacked=[2, 3], echo=3)
    assert sends(s, 0.010) == []
    hears(s, 0.010, ack=1, sacked=[2, 3, 4], echo=4)
    assert sends(s, 0.010) == [1]
    assert s.counts["lost"] == s.counts["resent"] == 1


def test_one_later_arrival_is_enough_after_a_little_more_than_a_round_trip():
    s = sender()
    s.push(b"a" * 200)
    sends(s, 0.0)
    hears(s, 0.100, ack=1, sacked=[2], echo=2)
    assert s.flight.loss_at == pytest.approx(0.1 * 1.125 + 0.001)
    s.wake(0.110)
    assert sends(s, 0.110) == []
    s.wake(0.1136)
    assert sends(s, 0.1136) == [1]


def test_reordering_is_learned_from_a_loss_that_was_none():
    s = sender()
    s.push(b"a" * 600)
    sends(s, 0.0)
    hears(s, 0.010, ack=1, sacked=[2, 3, 4], echo=4)
    assert sends(s, 0.010) == [1]
    patience = s.flight._reordering
    hears(s, 0.011, ack=5, echo=1)  # the first copy, merely late
    assert s.counts["spurious"] == 1
    assert s.flight._reordering > patience


def completes(sender, arrival):
    """Exchange until all is acknowledged; `arrival` turns a flight's [(packet, seq)] into those
    that arrive, in that order. Each arrival is acknowledged at once."""
    arrived, now = set(), 0.0
    while not sender.idle:
        sender.wake(now)
        sent = sends(sender, now)
        for packet, seq in arrival(list(enumerate(sent, sender.packet - len(sent)))):
            now += 0.0001
            arrived.add(seq)
            ack = next(n for n in range(sender.una, sender.next + 1) if n not in arrived)
            hears(sender, now, ack, [n for n in arrived if n > ack], echo=packet)
        now += 0.010
        assert now < 60, sender


def test_reorder_depth_three_without_loss_costs_at_most_one_spurious_retransmission():
    """Every fourth packet arrives after the three that follow it."""
    s = sender()
    s.push(b"a" * MSS * 400)
    fours = lambda flight: (flight[i : i + 4] for i in range(0, len(flight), 4))  # noqa: E731
    completes(s, lambda flight: [p for four in fours(flight) for p in (*four[1:], *four[:1])])
    assert s.counts["resent"] <= 1


def test_silence_after_the_last_packet_brings_a_probe_of_the_tail():
    s = sender()
    s.push(b"a")
    assert sends(s, 0.0) == [1]
    assert s.next_wakeup() == pytest.approx(0.25)  # no round trip measured yet
    s.wake(0.25)
    assert sends(s, 0.25) == [1]


def test_each_timeout_waits_twice_as_long_up_to_a_second():
    s = sender()
    s.rtt.sample(0.040)  # the timeout is 0.120 s
    s.push(b"a")
    sends(s, 0.0)
    waited = []
    now = 0.0
    for _ in range(6):
        due = s.next_wakeup()
        waited.append(due - now)
        now = due
        s.wake(now)
        assert sends(s, now) == [1]
    assert waited == pytest.approx([0.120, 0.240, 0.480, 0.960, 1.0, 1.0])
    assert waited[-1] == LONGEST_SILENCE_S


def test_an_answer_ends_the_doubling():
    s = sender()
    s.rtt.sample(0.040)
    s.push(b"ab")
    sends(s, 0.0)
    s.wake(0.120)
    sends(s, 0.120)
    hears(s, 0.160, ack=2, echo=2)
    s.push(b"c")
    sends(s, 0.200)
    assert s.next_wakeup() - 0.200 == pytest.approx(s.rtt.rto_s)


def test_three_timeouts_make_it_ask_the_path_again_from_the_beginning():
    s = sender()
    s.rtt.sample(0.010)
    s.push(b"a" * 1000)
    sends(s, 0.0)
    for _ in range(3):
        now = s.next_wakeup()
        s.wake(now)
        sends(s, now)
    assert s.counts["silences"] == 1
    assert s.congestion.cwnd == 4


def test_an_acknowledgement_of_the_unsent_is_refused_and_changes_nothing():
    s = sender()
    s.push(b"a" * 200)
    sends(s, 0.0)
    assert not hears(s, 0.01, ack=4, echo=1, window=5)  # 1 and 2 were sent: 3 is the most
    assert not hears(s, 0.01, ack=1, sacked=[3], echo=1, window=5)
    assert not hears(s, 0.01, ack=2, echo=3, window=5)  # packet 3 never left
    assert (s.una, s.in_flight, s.peer_window) == (1, 2, 1000)


def test_an_older_acknowledgement_does_not_bring_back_an_older_window():
    s = sender()
    s.push(b"a" * 300)
    sends(s, 0.0)
    hears(s, 0.010, ack=3, echo=2, window=0)
    hears(s, 0.011, ack=2, echo=1, window=50)
    assert s.peer_window == 0 and s.una == 3


def test_an_older_selective_acknowledgement_is_read_against_its_own_number():
    s = sender()
    s.push(b"a" * 500)
    sends(s, 0.0)
    hears(s, 0.010, ack=3, echo=2)
    hears(s, 0.011, ack=1, sacked=[2, 5], echo=5)  # overtaken by the one above
    assert s.flight._sacked == 1 << 5 - 3
    hears(s, 0.012, ack=6, echo=5)
    assert s.idle and s.in_flight == 0


def test_large_packets_that_vanish_while_small_ones_pass_mean_a_smaller_mtu():
    s = sender(mss=1444)
    s.push(b"a" * 14_440)
    sends(s, 0.0)
    s.wake(0.25)
    sends(s, 0.25)
    ping = s.number(0.25, -1, None)
    hears(s, 0.26, ack=1, echo=ping)  # the small one was answered: all before it are lost
    while s.mss != SAFE_PAYLOAD:
        now = s.next_wakeup()
        assert now < 2.0
        s.wake(now)
        sends(s, now)
    assert s.counts["black_holes"] == 1


def test_ordinary_loss_is_not_taken_for_a_smaller_mtu():
    s = sender(mss=1444)
    s.push(b"a" * 1444 * 100)
    completes(s, lambda flight: [(packet, seq) for packet, seq in flight if packet % 3])
    assert s.counts["lost"] > 30
    assert s.counts["black_holes"] == 0 and s.mss == 1444


def test_the_end_of_the_stream_alone_is_probed_like_data():
    s = sender()
    s.finish()
    [(seq, piece)] = s.due(0.0, 10)
    assert (seq, piece.flags) == (1, FIN)
    s.number(0.0, seq, piece)
    s.arm(0.0)
    s.wake(0.25)
    assert sends(s, 0.25) == [1]
