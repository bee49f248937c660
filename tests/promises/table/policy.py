"""There is one administrator: who changes what the services do, and what it costs."""

from tests.promises.failures import Disagrees, NeedsRestart
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
NO_LIBRARY = "no policy that could have another version: whoever is called is called"
IN_THE_SERVICE = (
    "what guards a service is typed into it: another version of that is a new release of all that"
    " was typed into, and each starts again"
)
IN_THE_LIBRARY = (
    "what guards a service is linked into it: for another version of the library every service"
    " starts again, whoever owns it (era 5)"
)
SEE_ABOVE = "no number is changed while a service runs: see a policy change without restart"
A_FILE_EACH = (
    "each sidecar has a file of its own: one number of one service is written as often as the"
    " service has instances, and in between they disagree (era 6)"
)

ROWS = [
    Promise(
        "a policy change without restart",
        "an operator changes a number, it is in force at once, and nothing is started again",
        "there is one administrator",
        when.a_quota_is_raised,
        before_http(Absent(NO_POLICY))
        | {"3": Not(IN_THE_CODE, NeedsRestart), "4": Not(AT_THE_START, NeedsRestart)}
        | dict.fromkeys("56", True),
        trouble="elsewhere",
    ),
    Promise(
        "one policy for all instances",
        "an operator says a number once, and all instances of the service act on it",
        "there is one administrator",
        when.a_quota_is_raised_for_all,
        before_http(Absent(NO_POLICY))
        | dict.fromkeys("34", Absent(SEE_ABOVE))
        | {"5": Not(A_FILE_EACH, Disagrees), "6": True},
        trouble="elsewhere",
        instances=2,
    ),
    Promise(
        "an upgrade of the policies under load",
        "another version of what guards the services takes over: no service is started again for"
        " it, and no customer is refused",
        "there is one administrator",
        when.the_policies_are_upgraded,
        before_http(Absent(NO_LIBRARY))
        | {
            "3": Not(IN_THE_SERVICE, NeedsRestart),
            "4": Not(IN_THE_LIBRARY, NeedsRestart),
            "5": True,
            "6": True,
        },
        trouble="elsewhere",
    ),
]
