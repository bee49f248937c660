"""The network is reliable; latency is zero; bandwidth is infinite; the network is homogeneous."""

from tests.promises.failures import DoubleBooked, Hangs, Unavailable, WrongAnswer, WrongContent
from tests.promises.scenarios import network as when
from tests.promises.table.cells import (
    ALL_KEPT,
    NOBODY_KNOWS_IT,
    RELIABLE,
    WAITS,
    Not,
    Promise,
)

FROM_TCP_ON = {"2": True} | ALL_KEPT
FROM_ERA_1_ON = {"1": True} | FROM_TCP_ON
EVERYWHERE = {"0": True} | FROM_ERA_1_ON
NO_ICMP = "the kernel waits for an ICMP message that nobody sends"
PASSED_ON = (
    "a sidecar passes a long answer on as it comes, and keeps none: what orders has been given"
    " already cannot be taken back, so only orders could ask again, and it has forgotten how"
)
SPOILT = (
    "no checksum at all: a spoilt request is answered as it reads, and one that the kernel throws"
    " away, because its address is spoilt, is waited for"
)

ROWS = [
    Promise(
        "packet loss",
        "an order arrives although packets are lost",
        RELIABLE,
        when.packets_are_lost,
        {"0": Not(WAITS, Hangs)} | FROM_ERA_1_ON,
        trouble="packets",
    ),
    Promise(
        "duplication",
        "a request that the network doubles is executed once",
        RELIABLE,
        when.packets_arrive_twice,
        {"0": Not(NOBODY_KNOWS_IT, DoubleBooked)} | FROM_ERA_1_ON,
        trouble="packets",
    ),
    Promise(
        "an old answer",
        "the copy of an old answer is not taken for the next one",
        RELIABLE,
        when.an_answer_arrives_twice,
        {"0": Not("answers carry no number: the next one is believed", WrongAnswer)}
        | FROM_ERA_1_ON,
        trouble="packets",
    ),
    Promise(
        "reordering",
        "packets that overtake each other change nothing",
        RELIABLE,
        when.packets_overtake_each_other,
        # Era 0 keeps it: with one datagram under way at a time nothing can be overtaken.
        EVERYWHERE,
        trouble="packets",
    ),
    Promise(
        "corruption",
        "a flipped bit is noticed, never believed",
        RELIABLE,
        when.bits_flip,
        {"0": Not(SPOILT, (Hangs, WrongContent, WrongAnswer))} | FROM_ERA_1_ON,
        trouble="packets",
    ),
    Promise(
        "partition and heal",
        "while the wire is cut customers are told so, afterwards they are served",
        RELIABLE,
        when.the_wire_is_cut_and_mended,
        {"0": Not(WAITS, Hangs)} | FROM_ERA_1_ON,
        slow=True,
    ),
    Promise(
        "a black-holed peer",
        "who waits for a peer that says nothing is told so in bounded time",
        RELIABLE,
        when.the_peer_falls_silent,
        {"0": Not(WAITS, Hangs)} | FROM_ERA_1_ON,
        slow=True,
    ),
    Promise(
        "death in mid-answer",
        "half an answer is never taken for a whole one, nor waited for",
        RELIABLE,
        when.the_peer_dies_in_mid_answer,
        {"0": Not(WAITS, Hangs)} | FROM_ERA_1_ON,
    ),
    Promise(
        "reset in mid-answer",
        "a connection reset in the middle of an answer is told apart from its end",
        RELIABLE,
        when.the_connection_is_reset_in_mid_answer,
        FROM_TCP_ON,
        trouble="connections",
    ),
    Promise(
        "reset unnoticed",
        "the customer is served although a connection is reset in the middle of the answer",
        RELIABLE,
        when.one_of_several_connections_is_reset_in_mid_answer,
        {"2": Not("it is noticed, and nobody asks again", Unavailable)}
        | ALL_KEPT
        | dict.fromkeys("56", Not(PASSED_ON, Unavailable)),
        trouble="connections",
        instances=2,
    ),
    Promise(
        "added latency",
        "a twentieth of a second each way delays an answer and breaks nothing",
        "latency is zero",
        when.the_way_is_long,
        EVERYWHERE,
    ),
    Promise(
        "jitter",
        "a delay that varies breaks nothing",
        "latency is zero",
        when.the_way_varies,
        EVERYWHERE,
    ),
    Promise(
        "a full slow link",
        "the long answer arrives whole through a slow link with a short queue",
        "bandwidth is infinite",
        when.the_link_is_slow_and_its_queue_short,
        {"0": Not("sends at any speed: the queue overflows", Hangs, only="real")} | FROM_ERA_1_ON,
    ),
    Promise(
        "a small MTU",
        "the long answer arrives although large packets vanish without a word",
        "the network is homogeneous",
        when.large_packets_vanish,
        {"0": Not("a datagram of 60 kB is one packet too large", Hangs), "1": True}
        # RFC 4821 probes for the size that passes; Linux can, but does not by default.
        | dict.fromkeys("23456", Not(NO_ICMP, Unavailable)),
        trouble="packets",
    ),
]
