"""What ruling all sidecars from one place is good for, and what it costs: one who can fail."""

from tests.promises.scenarios import certificates, direct, joining, steering
from tests.promises.scenarios import control_plane as ruler
from tests.promises.table.cells import SECURE, STABLE, Absent, Cell, Promise

ADMINISTRATOR = "there is one administrator"


def since_6(why: str) -> dict[str, Cell]:
    """Kept there; why there is nothing to keep before."""
    return {**dict.fromkeys("012345", Absent(why)), "6": True}


RULES = since_6("nobody rules from one place: see kill -9 of the registry, from era 3 on")
NO_VERSIONS = since_6("one version at a time, and no rule of who is asked: an upgrade is a restart")
NO_FAULTS = since_6("only the lab does harm on purpose: the shop itself has no means")
BUILT_IN = since_6(
    "who may call whom stands in the code, the arguments or the file of who is called"
)
A_WISH = since_6(
    "nothing stands beside a service that one could go past: see a stranger's call"
) | {"5": Absent("http_proxy is a wish, and its transparent mode an option: in era 6 it is on")}
NOBODY_JOINS = since_6("nobody is let in by a token: whoever has the secret, or a key, is in")
BY_HAND = since_6("no certificates, or such as are made by hand and good for months (era 5)")
NO_OPERATOR = since_6("an operator has no door: he edits files on each machine, or restarts")

ROWS = [
    Promise(
        "a control plane that hangs",
        "the control plane stands still for longer than any lease: no customer notices",
        STABLE,
        ruler.it_stands_still,
        RULES,
        trouble="elsewhere",
        instances=2,
    ),
    Promise(
        "a control plane cut off",
        "all proxies are cut off from it: what was said goes on, what is said comes afterwards",
        "the network is reliable",
        ruler.it_is_cut_off,
        RULES,
        trouble="elsewhere",
        instances=2,
    ),
    Promise(
        "a control plane that comes last",
        "who is started before it waits for it, and needs no hand when it comes",
        STABLE,
        ruler.it_comes_last,
        RULES,
        trouble="elsewhere",
        instances=2,
    ),
    Promise(
        "a control plane that comes and goes",
        "kill -9 of the control plane, again and again: no customer notices, and all converges",
        STABLE,
        ruler.it_comes_and_goes,
        RULES,
        trouble="elsewhere",
        instances=2,
    ),
    Promise(
        "a canary",
        "of a new version only those see something who are meant to, by a header or by chance",
        ADMINISTRATOR,
        steering.a_canary_is_let_out,
        NO_VERSIONS,
        trouble="elsewhere",
    ),
    Promise(
        "a fault on purpose",
        "an operator breaks one path of one service, sees who can bear it, and takes it back",
        ADMINISTRATOR,
        steering.a_fault_is_injected,
        NO_FAULTS,
        trouble="elsewhere",
    ),
    Promise(
        "a permission withdrawn",
        "what no rule allows is refused, whoever asks, from one moment to the next",
        SECURE,
        steering.a_permission_is_withdrawn,
        BUILT_IN,
        trouble="elsewhere",
    ),
    Promise(
        "a direct call",
        "whoever calls a service without his sidecar, and without a name, is not answered, and on"
        " the wire there is nothing but TLS",
        SECURE,
        direct.a_service_goes_past_its_sidecar,
        A_WISH,
        trouble="packets",
    ),
    Promise(
        "a stolen join token",
        "what let one instance in lets in nobody else, and nobody under another name",
        SECURE,
        joining.a_join_token_is_stolen,
        NOBODY_JOINS,
        trouble="elsewhere",
    ),
    Promise(
        "certificates that end",
        "each is good for two seconds: no customer notices, and no connection outlives its own",
        SECURE,
        certificates.certificates_end_under_load,
        BY_HAND,
        trouble="elsewhere",
    ),
    Promise(
        "another authority",
        "whose signature all believe is replaced while customers order, and none is refused",
        SECURE,
        certificates.the_authority_is_replaced,
        BY_HAND,
        trouble="elsewhere",
    ),
    Promise(
        "strangers at the operator's door",
        "who has no token, or comes from a web page, is told nothing and changes nothing",
        SECURE,
        ruler.strangers_at_the_operator_s_door,
        NO_OPERATOR,
        trouble="elsewhere",
    ),
]
