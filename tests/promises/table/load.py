"""Bandwidth is infinite: more is asked than can be done."""

from tests.promises.failures import Slow, Unlimited
from tests.promises.scenarios import load as when
from tests.promises.table.cells import ALL_KEPT, Absent, Not, Promise, before_http

ALL_ARE_LET_IN = "everybody is let in and waits: nobody counts how many there are already"
NO_ATTEMPTS = "no request is ever sent a second time, wanted or not"

ROWS = [
    Promise(
        "overload",
        "who cannot be served is told so at once, who is let in is served",
        "bandwidth is infinite",
        when.more_customers_than_it_can_serve,
        before_http(Not(ALL_ARE_LET_IN, Slow)) | ALL_KEPT,
        trouble="elsewhere",
        instances=2,
    ),
    Promise(
        "a retry storm",
        "when everything fails, trying again does not multiply the load",
        "bandwidth is infinite",
        when.everything_fails,
        before_http(Absent(NO_ATTEMPTS)) | ALL_KEPT,
        trouble="elsewhere",
    ),
    Promise(
        "a quota exceeded",
        "a caller that takes too much is told to wait, and the others do not feel it",
        "bandwidth is infinite",
        when.one_caller_asks_without_end,
        before_http(Not("callers have no names, so nobody can count", Unlimited)) | ALL_KEPT,
        trouble="elsewhere",
    ),
]
