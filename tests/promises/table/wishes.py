"""One wish, one effect: the network is reliable, and nobody is ever late."""

from tests.promises.failures import DoubleBooked, ForNobody, WrongAnswer
from tests.promises.scenarios import wishes as when
from tests.promises.table.cells import (
    ALL_KEPT,
    NOBODY_KNOWS_IT,
    RELIABLE,
    SECURE,
    Absent,
    Not,
    Promise,
    before_http,
)

REPEATED = (
    "orders cannot know whether the first attempt was executed, and inventory does not recognise"
    " the second: only deduplication in inventory itself helps (era 3)"
)
NO_TIME = "no message says how long anybody waits for its answer"
NO_CLOCK_INSIDE = (
    "a sidecar turns away what comes too late, and hangs up; what has got in waits for the store"
    " inside the service, where eras 3 and 4 looked at the clock once more and now nobody does"
)

ROWS = [
    Promise(
        "a repeated request",
        "an order repeated after a lost answer and a crash is applied once",
        RELIABLE,
        when.an_order_is_repeated_after_a_lost_answer_and_a_crash,
        before_http(Not(REPEATED, DoubleBooked)) | ALL_KEPT,
    ),
    Promise(
        "a repeated request on an empty shelf",
        "who repeats the order that took the last goods is not told that they are gone",
        RELIABLE,
        when.the_last_goods_are_ordered_twice,
        before_http(Not(REPEATED, WrongAnswer)) | ALL_KEPT,
        trouble="elsewhere",
    ),
    Promise(
        "replayed packets",
        "packets that a listener kept and sends again are applied once",
        SECURE,
        when.frames_are_sent_again,
        {"0": Not(NOBODY_KNOWS_IT, DoubleBooked), "1": True, "2": True} | ALL_KEPT,
        trouble="packets",
    ),
    Promise(
        "a replayed request",
        "a request that a listener kept and sends again on a new connection is applied once",
        SECURE,
        when.a_whole_request_is_sent_again,
        before_http(Not(NOBODY_KNOWS_IT, DoubleBooked)) | ALL_KEPT,
        trouble="elsewhere",
    ),
    Promise(
        "a late request",
        "a request that was given up, and done elsewhere, and taken back, has no effect any more",
        RELIABLE,
        when.a_request_comes_too_late,
        before_http(Absent("what was given up is done by nobody else, as there is nobody else"))
        | ALL_KEPT,
        trouble="elsewhere",
        slow=True,
        instances=2,
    ),
    Promise(
        "a customer who has gone",
        "nothing is done for whom nobody waits any more",
        "latency is zero",
        when.the_customer_has_gone,
        before_http(Not(NO_TIME, ForNobody))
        | ALL_KEPT
        | dict.fromkeys("56", Not(NO_CLOCK_INSIDE, ForNobody)),
        trouble="elsewhere",
        witnessed=True,
    ),
]
