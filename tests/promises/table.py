"""The table of promises: what each era keeps and, where it does not, why and how it fails.

A cell is True, or Not(why, shows): the test then demands exactly this failure. So the table can
flatter nobody: a promise kept by accident fails as loudly as one that is broken.

Eras 3 to 6 add their column to every row, and rows of their own below.
"""

from collections.abc import Callable
from dataclasses import dataclass

from tests.promises import scenarios as when
from tests.promises.failures import (
    Broken,
    DoubleBooked,
    Hangs,
    Obeys,
    Readable,
    StaysDown,
    Unavailable,
    WrongAnswer,
    WrongContent,
)
from tests.promises.trial import Trial

FORMS = ("portable", "real")


@dataclass(frozen=True)
class Not:
    """A promise that is not kept. `shows`: one of these is what is seen; `only`: over this form."""

    why: str
    shows: type[Broken] | tuple[type[Broken], ...]
    only: str = ""

    def may_be(self, failure: type[Broken]) -> bool:
        return failure in (self.shows if isinstance(self.shows, tuple) else (self.shows,))


@dataclass(frozen=True)
class Promise:
    """A row of the table.

    fallacy: which of the eight fallacies of distributed computing it is the price of. trouble:
    "packets" or "connections" if only a wire of packets, or only a relay of byte streams, makes it.
    """

    name: str
    claim: str
    fallacy: str
    when: Callable[[Trial], None]
    kept: dict[str, "bool | Not"]
    trouble: str = ""
    slow: bool = False


WAITS = "it waits for ever for what will never come"
NOBODY_KNOWS_IT = "inventory takes whatever arrives twice for two orders"
ANYBODY = "whoever can send to inventory is obeyed: nothing says who is asking"
PLAIN = "what is sent can be read by all who carry it"
NO_SIGNATURE = "a checksum is no signature, and the next number is no secret to who reads along"
ONE_INSTANCE = "there is one address and one instance behind it"
REPEATED = (
    "orders cannot know whether the first attempt was executed, and inventory does not recognise"
    " the second: only deduplication in inventory itself helps (era 3)"
)

PROMISES = [
    # The network is reliable.
    Promise(
        "packet loss",
        "an order arrives although packets are lost",
        "the network is reliable",
        when.packets_are_lost,
        {"0": Not(WAITS, Hangs), "1": True, "2": True},
        trouble="packets",
    ),
    Promise(
        "duplication",
        "a request that the network doubles is executed once",
        "the network is reliable",
        when.packets_arrive_twice,
        {"0": Not(NOBODY_KNOWS_IT, DoubleBooked), "1": True, "2": True},
        trouble="packets",
    ),
    Promise(
        "an old answer",
        "the copy of an old answer is not taken for the next one",
        "the network is reliable",
        when.an_answer_arrives_twice,
        {"0": Not("answers carry no number: the next one is believed", WrongAnswer)}
        | {"1": True, "2": True},
        trouble="packets",
    ),
    Promise(
        "reordering",
        "packets that overtake each other change nothing",
        "the network is reliable",
        when.packets_overtake_each_other,
        # Era 0 keeps it: with one datagram under way at a time nothing can be overtaken.
        {"0": True, "1": True, "2": True},
        trouble="packets",
    ),
    Promise(
        "corruption",
        "a flipped bit is noticed, never believed",
        "the network is reliable",
        when.bits_flip,
        {"0": Not("no checksum at all", (Hangs, WrongContent, WrongAnswer))}
        | {"1": True, "2": True},
        trouble="packets",
    ),
    Promise(
        "partition and heal",
        "while the wire is cut customers are told so, afterwards they are served",
        "the network is reliable",
        when.the_wire_is_cut_and_mended,
        {"0": Not(WAITS, Hangs), "1": True, "2": True},
        slow=True,
    ),
    # Latency is zero, bandwidth is infinite, transport cost is zero.
    Promise(
        "added latency",
        "a twentieth of a second each way delays an answer and breaks nothing",
        "latency is zero",
        when.the_way_is_long,
        {"0": True, "1": True, "2": True},
    ),
    Promise(
        "jitter",
        "a delay that varies breaks nothing",
        "latency is zero",
        when.the_way_varies,
        {"0": True, "1": True, "2": True},
    ),
    Promise(
        "a full slow link",
        "the long answer arrives whole through a slow link with a short queue",
        "bandwidth is infinite",
        when.the_link_is_slow_and_its_queue_short,
        {"0": Not("sends at any speed: the queue overflows", Hangs, only="real")}
        | {"1": True, "2": True},
    ),
    Promise(
        "a small MTU",
        "the long answer arrives although large packets vanish without a word",
        "the network is homogeneous",
        when.large_packets_vanish,
        {"0": Not("a datagram of 60 kB is one packet too large", Hangs), "1": True}
        # RFC 4821 probes for the size that passes; Linux can, but does not by default.
        | {"2": Not("the kernel waits for an ICMP message that nobody sends", Unavailable)},
        trouble="packets",
    ),
    # Topology does not change.
    Promise(
        "a black-holed peer",
        "who waits for a peer that says nothing is told so in bounded time",
        "the network is reliable",
        when.the_peer_falls_silent,
        {"0": Not(WAITS, Hangs), "1": True, "2": True},
        slow=True,
    ),
    Promise(
        "death in mid-answer",
        "half an answer is never taken for a whole one, nor waited for",
        "the network is reliable",
        when.the_peer_dies_in_mid_answer,
        {"0": Not(WAITS, Hangs), "1": True, "2": True},
    ),
    Promise(
        "reset in mid-answer",
        "a connection reset in the middle of an answer is told apart from its end",
        "the network is reliable",
        when.the_connection_is_reset_in_mid_answer,
        {"2": True},
        trouble="connections",
    ),
    Promise(
        "kill -9 of the only instance",
        "customers are served although an instance dies",
        "topology does not change",
        when.the_only_instance_dies,
        {"0": Not(WAITS, Hangs), "1": Not(ONE_INSTANCE, StaysDown)}
        | {"2": Not(ONE_INSTANCE, StaysDown)},
    ),
    Promise(
        "restart at the same address",
        "after a restart the shop goes on by itself",
        "topology does not change",
        when.the_instance_is_restarted,
        # Era 0 keeps it, unless somebody asked in between: it has no connection that could break.
        {"0": True, "1": True, "2": True},
    ),
    # One wish, one effect.
    Promise(
        "a repeated request",
        "an order repeated after a lost answer and a crash is applied once",
        "the network is reliable",
        when.an_order_is_repeated_after_a_lost_answer_and_a_crash,
        {era: Not(REPEATED, DoubleBooked) for era in "012"},
    ),
    Promise(
        "a replayed request",
        "packets that a listener kept and sends again are applied once",
        "the network is secure",
        when.frames_are_sent_again,
        {"0": Not(NOBODY_KNOWS_IT, DoubleBooked), "1": True, "2": True},
        trouble="packets",
    ),
    # The network is secure.
    Promise(
        "a stranger's call",
        "inventory does nothing for somebody who is not orders",
        "the network is secure",
        when.a_stranger_asks,
        {era: Not(ANYBODY, Obeys) for era in "012"},
    ),
    Promise(
        "a blind forger",
        "a packet in the name of orders is not believed if its sender cannot read the others",
        "the network is secure",
        when.a_blind_stranger_forges_a_packet,
        {"0": Not("a sender is whoever is named as one", Obeys), "1": True, "2": True},
        trouble="packets",
    ),
    Promise(
        "a forger on the path",
        "a packet in the name of orders is not believed although its sender reads the others",
        "the network is secure",
        when.a_listener_forges_a_packet,
        {"0": Not("a sender is whoever is named as one", Obeys)}
        # Era 1 portable refuses it for another reason: it comes from another UDP address.
        | {"1": Not(NO_SIGNATURE, Obeys, only="real"), "2": Not(NO_SIGNATURE, Obeys)},
        trouble="packets",
    ),
    Promise(
        "a listener on the path",
        "who carries the packets cannot read the orders",
        "the network is secure",
        when.a_listener_is_on_the_path,
        {era: Not(PLAIN, Readable) for era in "012"},
        trouble="packets",
    ),
]
