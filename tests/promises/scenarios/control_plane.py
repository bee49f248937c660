"""Whoever rules the sidecars is a process, too: hangs, is cut off, comes last, comes and goes."""

import threading
import time

from lab.cast.operator import Status
from tests.promises import mesh
from tests.promises.crowd import Crowd
from tests.promises.failures import Obeys, StaysDown, Unavailable
from tests.promises.trial import Trial

LEASE_S = 2.0  # an instance that is silent for longer is taken for gone
BACK_S = 8.0  # within so many seconds everybody has found it again
FLAPS = 4
QUOTA = "services.inventory.quotas.reports.rate_per_s"
LATE_S = 0.5  # so long nobody waits who need not wait


def it_stands_still(trial: Trial) -> None:
    """SIGSTOP: its connections stand, and nothing comes. Longer than any lease; then it wakes up,
    and must not take everybody for gone who could not renew one meanwhile.
    """
    stage = trial.stage
    with trial.crowd(2) as crowd:
        crowd.go_on(4)
        stage.pause(mesh.RULER)
        _go_on_for(crowd, LEASE_S + 1)
        stage.resume(mesh.RULER)
        _must_converge(trial)
        crowd.go_on(8)
    crowd.must_be_served()
    trial.laws_hold()


def it_is_cut_off(trial: Trial) -> None:
    """All nodes are cut off from it, not from each other. Who dies meanwhile is left alone; what is
    said meanwhile is in force when the way is mended.
    """
    stage = trial.stage
    nodes = ("orders", *stage.instances)
    with trial.crowd(2) as crowd:
        crowd.go_on(4)
        for node in nodes:
            stage.control_of(node).partition()
        revision = stage.operator.change(QUOTA, 7)
        stage.kill(stage.instances[-1])
        _go_on_for(crowd, LEASE_S + 1)
        for node in nodes:
            stage.control_of(node).heal()
        stage.restart(stage.instances[-1])
        _must_converge(trial)
        assert stage.operator.obeyed(revision)["is_settled"], "not everybody obeys what was said"
        crowd.go_on(8)
    crowd.must_be_served()
    trial.laws_hold()


def it_comes_last(trial: Trial) -> None:
    """An instance is started anew, knowing nothing, and nobody is there to tell it: it waits. Then
    there is; and nobody need do anything else.
    """
    stage, new = trial.stage, trial.stage.instances[-1]
    stage.crash(new)
    mesh.make_new(stage, new)
    stage.kill(mesh.RULER)
    with trial.crowd(1) as crowd:
        starting = threading.Thread(target=stage.restart, args=(new,), daemon=True)
        starting.start()
        crowd.go_on(4)
        starting.join(LATE_S)
        assert starting.is_alive(), "it serves, though nobody told it whom"
        stage.restart(mesh.RULER)
        starting.join(BACK_S)
        if starting.is_alive():
            raise StaysDown(f"{new} does not serve, though its control plane is there")
        _must_converge(trial)
        crowd.go_on(4)
    crowd.must_be_served()


def it_comes_and_goes(trial: Trial) -> None:
    """kill -9, and started again, again and again; and each time somebody is told something."""
    stage = trial.stage
    with trial.crowd(2) as crowd:
        for n in range(FLAPS):
            crowd.go_on(6)
            stage.kill(mesh.RULER)
            crowd.go_on(6)
            stage.restart(mesh.RULER)
            stage.operator.change(QUOTA, 7 + n)
        _must_converge(trial)
        crowd.go_on(6)
    crowd.must_be_served()
    trial.laws_hold()


def its_operator_speaks_nonsense(trial: Trial) -> None:
    """No TOML, a number that cannot be, a service that there is not, shares that are too few: each
    is refused as a whole, with its line. What was said before goes on, until the right word comes.
    """
    operator, said = trial.stage.operator, trial.stage.operator.intent()
    before = operator.status()
    with trial.crowd(1) as crowd:
        crowd.go_on(2)
        for what, (text, told) in nonsense(said).items():
            _must_refuse(trial, what, text, told)
        crowd.go_on(2)
        after = operator.status()
        assert _versions(after) == _versions(before), "somebody was told something"
        assert after["revision"] == before["revision"]
        assert mesh.want(trial.stage, QUOTA, 7)["is_settled"], "the right word is not in force"
        crowd.go_on(2)
    crowd.must_be_served()


def nonsense(said: str) -> dict[str, tuple[str, str]]:
    """What is wrong with an intent -> its text, and what must be in the refusal."""
    lines = said.count("\n")
    route = "[[services.inventory.routes]]\nto = {{ v1 = {0}, v2 = 5 }}\n"
    return {
        "no TOML": ("[services\n", "line 1"),
        "a number": (f"{said}\n[services.orders.client]\ndeadline_s = -1\n", f"line {lines + 3}"),
        "a caller": (
            f'{said}\n[[services.reports.may]]\ncallers = ["nobody"]\nmethod = "GET"\npath = "/"\n',
            "nobody",
        ),
        "shares": (f"{said}\n{route.format(90)}", "95"),
        "a version": (f"{said}\n{route.format(95).replace('v2', 'v3')}", "v3"),
    }


def strangers_at_the_operator_s_door(trial: Trial) -> None:
    """Somebody without the token; a web page in the operator's browser, which cannot hide where it
    comes from; and one whose name was made to lead to us. Nobody is told anything, nor obeyed.
    """
    operator, said = trial.stage.operator, trial.stage.operator.intent()
    wish = {"text": said + "\n[services.evil]\n", "who": "nobody"}
    asked = [
        ("GET", "/intent", None),
        ("PUT", "/intent", wish),
        ("POST", "/authorities/rotate", {}),
    ]
    asked.append(("POST", "/tokens", {"service": "inventory", "instance": "evil", "life_s": 60}))
    true = f"Bearer {operator.token.read_text().strip()}"
    tries = {
        "no token": ({}, 401),
        "a forged token": ({"Authorization": "Bearer " + "0" * 43}, 401),
        "a page": ({"Authorization": true, "Origin": "http://evil.example"}, 403),
        "a page of this machine": ({"Authorization": true, "Origin": "http://localhost"}, 403),
        "rebinding": ({"Authorization": true, "Host": "evil.example"}, 403),
    }
    for what, (headers, status) in tries.items():
        for method, path, body in asked:
            told, answer = mesh.at_the_operator_s_door(trial.stage, method, path, headers, body)
            if told < 300:
                raise Obeys(f"{what}: {method} {path} was answered {answer}")
            assert told == status, (what, method, path, told, answer)
    assert operator.intent() == said


def _go_on_for(crowd: Crowd, seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        crowd.go_on(2)


def _must_converge(trial: Trial) -> None:
    """Everybody is connected again, knows everything, and all instances are there."""
    stage = trial.stage
    names = sorted(stage.instances)

    def is_whole() -> bool:
        there = sorted(each.partition(" ")[0] for each in mesh.listed(stage))
        return there == names and mesh.are_in_step(stage, "orders", *names)

    if not trial.sees(is_whole, BACK_S):
        raise Unavailable(f"not whole again after {BACK_S:g} s: {stage.operator.status()}")


def _must_refuse(trial: Trial, what: str, text: str, told: str) -> None:
    try:
        trial.stage.operator.apply(text)
    except ValueError as refusal:
        assert told in str(refusal), (what, str(refusal))
        return
    raise Obeys(f"{what}: it was not refused")


def _versions(status: Status) -> dict[str, object]:
    return {each["node"]: each["types"] for each in status["nodes"]}
