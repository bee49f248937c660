"""The network is secure: who asks, who listens, who forges."""

from tests.promises.failures import Obeys, Readable, WrongAnswer
from tests.promises.scenarios import identity as when
from tests.promises.table.cells import ALL_KEPT, ANYBODY, SECURE, Absent, Not, Promise, before_http

NAMED = "a sender is whoever is named as one"
NO_SIGNATURE = "a checksum is no signature, and the next number is no secret to who reads along"
OTHER_PORT = (
    "; on the portable wire only the forger's other UDP port gives it away, and whoever writes IP"
    " headers has no other"
)
PLAIN = "what is sent can be read by all who carry it"
BEARER = (
    "a token proves who asked for it, not who shows it, and over plain text everybody on the path"
    " reads it: it is good for whoever has it until it ends (era 6)"
)
STILL_BEARER = (
    "the registry is era 3's and its way is plain text: it lists who shows another's token; who"
    " has no certificate is told nothing there, but he is tried again and again (era 6)"
)
WHOEVER_IS_THERE = (
    "whoever listens at the address is believed: orders says who it is, and asks nobody who he is"
    " (era 5)"
)
SHOWN_TO_ANYBODY = (
    "orders shows its token to whoever listens at the address, and the token does not say at which"
    " one it is good (era 5)"
)

ROWS = [
    Promise(
        "a stranger's call",
        "inventory does nothing for somebody who is not orders",
        SECURE,
        when.a_stranger_asks,
        before_http(Not(ANYBODY, Obeys)) | ALL_KEPT,
    ),
    Promise(
        "a bad token",
        "a token that is forged, out of date, unsigned or for somebody else opens nothing",
        SECURE,
        when.a_stranger_shows_a_bad_token,
        before_http(Not(ANYBODY, Obeys)) | ALL_KEPT,
        trouble="elsewhere",
    ),
    Promise(
        "a caller who may not",
        "a service that may read the goods cannot reserve or release them",
        SECURE,
        when.somebody_else_asks,
        before_http(Not(ANYBODY, Obeys)) | ALL_KEPT,
        trouble="elsewhere",
    ),
    Promise(
        "a false instance",
        "nobody else can pass for an instance of inventory",
        SECURE,
        when.a_stranger_registers,
        before_http(Absent("no registry in which anybody could stand")) | ALL_KEPT,
        trouble="elsewhere",
    ),
    Promise(
        "another service at the address",
        "the answer of a service that has got a dead instance's port is not taken for inventory's",
        "topology does not change",
        when.another_service_has_its_address,
        dict.fromkeys("0123456", True),
        trouble="elsewhere",
    ),
    Promise(
        "a liar at the address",
        "who has got a dead instance's port and answers as it would is not believed",
        SECURE,
        when.a_liar_has_its_address,
        dict.fromkeys("01234", Not(WHOEVER_IS_THERE, WrongAnswer)) | dict.fromkeys("56", True),
        trouble="elsewhere",
    ),
    Promise(
        "a thief at the address",
        "what is shown to who has got a dead instance's port opens nothing to him",
        SECURE,
        when.a_thief_has_its_address,
        before_http(Absent("nothing is shown that could open anything: see a stranger's call"))
        | dict.fromkeys("34", Not(SHOWN_TO_ANYBODY, Obeys))
        | dict.fromkeys("56", True),
        trouble="elsewhere",
    ),
    Promise(
        "an overheard lease",
        "what an instance says to the registry is of no use to who overhears it",
        SECURE,
        when.a_listener_registers,
        before_http(Absent("no registry in which anybody could stand"))
        | dict.fromkeys("34", Not(BEARER, Obeys))
        | {"5": Not(STILL_BEARER, Obeys), "6": True},
        trouble="elsewhere",
    ),
    Promise(
        "a stolen token",
        "a token that a listener reads and shows opens nothing to the listener",
        SECURE,
        when.a_listener_takes_the_token,
        before_http(Absent("no token to steal, and none needed: see a stranger's call"))
        | dict.fromkeys("34", Not(BEARER, Obeys))
        | dict.fromkeys("56", True),
        trouble="packets",
    ),
    Promise(
        "a blind forger",
        "a packet in the name of orders is not believed if its sender cannot read the others",
        SECURE,
        when.a_blind_stranger_forges_a_packet,
        {"0": Not(NAMED, Obeys), "1": True, "2": True} | ALL_KEPT,
        trouble="packets",
    ),
    Promise(
        "a forger on the path",
        "a packet in the name of orders is not believed although its sender reads the others",
        SECURE,
        when.a_listener_forges_a_packet,
        {"0": Not(NAMED, Obeys), "1": Not(NO_SIGNATURE + OTHER_PORT, Obeys, only="real")}
        | dict.fromkeys("234", Not(NO_SIGNATURE, Obeys))
        | dict.fromkeys("56", True),
        trouble="packets",
    ),
    Promise(
        "a listener on the path",
        "who carries the packets cannot read the orders",
        SECURE,
        when.a_listener_is_on_the_path,
        dict.fromkeys("01234", Not(PLAIN, Readable)) | dict.fromkeys("56", True),
        trouble="packets",
    ),
]
