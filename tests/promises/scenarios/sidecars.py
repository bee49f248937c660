"""What stands beside the services is a process, too: it dies, hangs, is told nonsense."""

from tests.promises import mesh
from tests.promises.failures import Disagrees, StaysDown
from tests.promises.front import Front
from tests.promises.scenarios.control_plane import its_operator_speaks_nonsense
from tests.promises.sidecars import beside, file_of, freeze, outbound_of, proxies_of
from tests.promises.stand_in import StandIn
from tests.promises.trial import Trial

CUSTOMERS = 4
QUOTA = "quotas.reports.rate_per_s"
PATIENCE_S = 0.5  # with a proxy that says nothing
ATTEMPTS = {"orders": 2, "inventory": 3}  # as each team finds right for itself


def an_inventory_s_sidecar_dies(trial: Trial) -> None:
    """kill -9, while customers order: its callers find its listener, and wait or ask another."""
    before = _pids_of_services(trial)
    with trial.crowd(CUSTOMERS) as crowd:
        crowd.go_on(8)
        _kill_and_see_another(trial, trial.instance)
        crowd.go_on(20)
    crowd.must_be_served()
    assert _pids_of_services(trial) == before
    trial.laws_hold()


def orders_sidecar_dies(trial: Trial) -> None:
    """kill -9 of the shop's edge. Who was inside is cut off and asks again; nobody else notices."""
    before = _pids_of_services(trial)
    with trial.crowd(CUSTOMERS, repeats=True) as crowd:
        for _ in range(2):
            crowd.go_on(8)
            _kill_and_see_another(trial, "orders")
        crowd.go_on(20)
    crowd.must_be_served()
    assert crowd.cut <= 2 * CUSTOMERS
    assert _pids_of_services(trial) == before
    trial.laws_hold()


def a_sidecar_hangs(trial: Trial) -> None:
    """SIGSTOP: it is there, its listener takes connections, and nothing ever comes of them."""
    _make_impatient(trial)
    with trial.crowd(CUSTOMERS) as crowd:
        crowd.go_on(8)
        stopped = proxies_of(trial.stage, trial.instance)
        freeze(trial.stage, trial.instance)
        if not trial.sees(lambda: _is_another(trial, trial.instance, stopped), within_s=8.0):
            raise StaysDown("nobody started another")
        crowd.go_on(20)
    crowd.must_be_served()
    trial.laws_hold()


def a_sidecar_is_told_nonsense(trial: Trial) -> None:
    """A value that cannot be, then no TOML at all: each is named with its line, without effect.

    Then the right file, which is in force at once. Where one rules all, nonsense is told to that.
    """
    if trial.stage.era.has_control_plane:
        its_operator_speaks_nonsense(trial)
        return
    stage, sidecar = trial.stage, beside(trial.stage, trial.instance)
    before = proxies_of(stage, trial.instance)
    with trial.crowd(1) as crowd:
        crowd.go_on(2)
        stage.change_policy(trial.instance, QUOTA, "many")
        line = _line_of(file_of(stage, trial.instance).read_text(), '"many"')
        _must_be_refused(trial, f"line {line}: inbound.quotas.reports.rate_per_s is 'many'")
        file_of(stage, trial.instance).write_text("[inbound\n")
        stage.reload(sidecar)
        _must_be_refused(trial, "line 1: ")
        crowd.go_on(2)
        stage.change_policy(trial.instance, QUOTA, 7)
        trial.until(lambda: "is in force" in stage.logs(sidecar), "the right file is in force")
        crowd.go_on(2)
    crowd.must_be_served()
    assert proxies_of(stage, trial.instance) == before


def two_sidecars_try_again(trial: Trial) -> None:
    """Inventory asks a supplier, who is out of order. Either file allows a few attempts."""
    is_ruled = trial.stage.era.has_control_plane
    if is_ruled:
        mesh.introduce(trial.stage, "suppliers", caller="inventory")
    with StandIn(trial.stage, "supplier-1", "suppliers") as failing, Front() as front:
        _let_inventory_ask(trial, front)
        trial.stage.change_policy("orders", "retry.attempts", ATTEMPTS["orders"])
        if is_ruled:
            mesh.obeyed(trial.stage)
        else:
            _wait_until_in_force(trial, "orders", 1)
        assert trial.place("dear")["outcome"] == "unavailable"
        assert failing.asked > 0, "nobody asked the supplier"
        if failing.asked > max(ATTEMPTS.values()):
            raise Disagrees(f"{failing.asked} attempts for one order, and the files say {ATTEMPTS}")


def _let_inventory_ask(trial: Trial, front: Front) -> None:
    """Its sidecar gets a way out, and a service behind it that uses it."""
    stage = trial.stage
    is_ruled = stage.era.has_control_plane
    client = "services.suppliers.client" if is_ruled else "outbound.services.suppliers.client"
    stage.change_policy(trial.instance, "app", front.url)
    stage.change_policy(trial.instance, "outbound.listen", "http://127.0.0.1:0")
    stage.change_policy(trial.instance, f"{client}.retry.attempts", ATTEMPTS["inventory"])
    stage.restart(beside(stage, trial.instance))
    front.ask_through(outbound_of(stage, trial.instance))


def _make_impatient(trial: Trial) -> None:
    """Who looks after the sidecar. A node's own file is read when it starts."""
    if trial.stage.era.has_control_plane:
        trial.stage.change_policy(trial.instance, "supervisor.probe_every_s", 0.1)
        trial.stage.change_policy(trial.instance, "supervisor.patience_s", PATIENCE_S)
        trial.stage.restart(beside(trial.stage, trial.instance))
        return
    _tell(trial, "supervisor.probe_every_s", 0.1)
    _tell(trial, "supervisor.patience_s", PATIENCE_S)


def _tell(trial: Trial, key: str, value: float) -> None:
    sidecar = beside(trial.stage, trial.instance)
    known = trial.stage.logs(sidecar).count("is in force")
    trial.stage.change_policy(trial.instance, key, value)
    _wait_until_in_force(trial, trial.instance, known + 1)


def _wait_until_in_force(trial: Trial, role: str, times: int) -> None:
    sidecar = beside(trial.stage, role)
    trial.until(lambda: trial.stage.logs(sidecar).count("is in force") >= times, "it is in force")


def _must_be_refused(trial: Trial, told: str) -> None:
    sidecar = beside(trial.stage, trial.instance)
    trial.until(lambda: told in trial.stage.logs(sidecar), f"it says {told!r}")
    assert "is in force" not in trial.stage.logs(sidecar)


def _line_of(text: str, value: str) -> int:
    return next(n for n, line in enumerate(text.splitlines(), 1) if value in line)


def _kill_and_see_another(trial: Trial, role: str) -> None:
    killed = proxies_of(trial.stage, role)
    trial.stage.kill(beside(trial.stage, role))
    if not trial.sees(lambda: _is_another(trial, role, killed), within_s=8.0):
        raise StaysDown(f"nobody started the sidecar of {role} again")


def _is_another(trial: Trial, role: str, before: set[int]) -> bool:
    now = proxies_of(trial.stage, role)
    return bool(now) and not now & before


def _pids_of_services(trial: Trial) -> dict[str, int]:
    return {role: trial.stage.pid(role) for role in ("orders", *trial.stage.instances)}
