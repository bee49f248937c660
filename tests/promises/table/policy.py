"""There is one administrator: who changes what the services do, and what it costs."""

from tests.promises.failures import NeedsRestart
from tests.promises.scenarios import policy as when
from tests.promises.table.cells import Absent, Not, Promise, before_http

NO_POLICY = (
    "no caller is counted, no instance chosen, nothing tried again: an operator has no number to"
    " change"
)
IN_THE_CODE = "the numbers are constants in the code: a new one is a new release of every service"
AT_THE_START = (
    "the numbers are arguments, read when a service starts: for a new one all of them start again"
)

ROWS = [
    Promise(
        "a policy change without restart",
        "an operator changes a number, it is in force at once, and nothing is started again",
        "there is one administrator",
        when.a_quota_is_raised,
        before_http(Absent(NO_POLICY))
        | {"3": Not(IN_THE_CODE, NeedsRestart), "4": Not(AT_THE_START, NeedsRestart), "5": True},
        trouble="elsewhere",
    ),
]
