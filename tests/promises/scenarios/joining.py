"""Era 6: how an instance gets in, and who would like to."""

from collections.abc import Callable

from era5_sidecar.certificates import Authority, Pair
from tests.promises import mesh
from tests.promises.credentials import credential_of
from tests.promises.failures import Obeys
from tests.promises.squatter import Eavesdropper
from tests.promises.trial import Trial

NOWHERE = "http://127.0.0.1:9"
KEPT_OUT = ("UNAUTHENTICATED", "PERMISSION_DENIED")
NO_TLS = ("UNAVAILABLE",)  # the handshake let nobody in who could be answered
WRONG = ("INVALID_ARGUMENT",)


def a_stranger_attends(trial: Trial) -> None:
    """He says that he is an instance of inventory, without a certificate, with a bad one, and with
    a true one of another service, who is believed as that, and listed as nothing else.
    """
    stage = trial.stage
    before = mesh.listed(stage)
    forged = Authority.new().issue("inventory")
    ended = mesh.stolen_authority(stage).issue("inventory", life_s=-10, begin_s=-20)
    for what, shown in {"nobody": None, "a forger": forged, "one of yesterday": ended}.items():
        _must_not_attend(trial, what, shown, NO_TLS)
    true = mesh.joined(stage, "inventory", "inventory-evil")
    for url in ("http://169.254.169.254:80", "file:///etc/passwd"):
        _must_not_attend(trial, url, true, WRONG, url)
    with mesh.attended(stage, mesh.joined(stage, "reports", "inventory-1"), NOWHERE):
        trial.until(lambda: _is_listed(trial, "reports"), "reports is there as itself")
        now = mesh.listed(stage)
    if now != before:
        raise Obeys(f"inventory is now {now}")


def _is_listed(trial: Trial, service: str) -> bool:
    endpoints = trial.stage.operator.status()["endpoints"]
    return any(each["service"] == service for each in endpoints)


def _must_not_attend(
    trial: Trial,
    what: str,
    shown: Pair | None,
    how: tuple[str, ...],
    url: str = NOWHERE,
) -> None:
    _must_be_refused(what, lambda: mesh.attend_once(trial.stage, shown, url), how)


def _must_be_refused(what: str, deed: Callable[[], object], how: tuple[str, ...]) -> None:
    """With one of these codes: not that nobody was there."""
    try:
        deed()
    except mesh.Refused as refusal:
        assert refusal.code in how, (what, refusal)
        return
    raise Obeys(f"{what}: it was not refused")


def a_liar_is_in_the_control_plane_s_place(trial: Trial) -> None:
    """The control plane dies, and a service of ours has its port: whoever asks it, to renew a lease
    or to be told what to do, finds out who that is, and says nothing.
    """
    stage = trial.stage
    address = stage.control_plane["nodes"].replace("https:", "http:")
    other = credential_of(stage, "reports")
    stage.kill(mesh.RULER)
    with Eavesdropper(address, other) as liar:
        trial.until(lambda: liar.met >= 3, "agents and sidecars look for their control plane")
    if liar.heard:
        raise Obeys(f"whoever listens there is told {liar.heard[:80]!r}")
    stage.restart(mesh.RULER)
    trial.until(lambda: mesh.are_in_step(stage, "orders", trial.instance), "all are back")
    trial.must_place("afterwards")


def a_join_token_is_stolen(trial: Trial) -> None:
    """It lets one instance in, once, in its own name. Who comes later with it, or with another
    name, or with one that nobody gave out, stays outside.
    """
    stage = trial.stage
    token = stage.operator.token_for("inventory", "inventory-9")
    tries = {
        "for another instance": (token, "inventory", "inventory-8"),
        "for another service": (token, "orders", "inventory-9"),
        "the control plane itself": (token, "pilot", "pilot"),
        "forged": ("0" * len(token), "inventory", "inventory-9"),
        "none": ("", "inventory", "inventory-9"),
    }
    for what, told in tries.items():
        _must_not_join(trial, what, told)
    owner = mesh.apply_with(stage, token, "inventory", "inventory-9")
    _must_not_join(trial, "used a second time", (token, "inventory", "inventory-9"))
    with mesh.attended(stage, owner, NOWHERE):
        trial.until(lambda: "inventory-9 " + NOWHERE in mesh.listed(stage), "its owner is in")


def _must_not_join(trial: Trial, what: str, told: tuple[str, str, str]) -> None:
    join = mesh.apply_with
    _must_be_refused(what, lambda: join(trial.stage, *told), (*KEPT_OUT, *WRONG))
