"""What customers notice of a mesh that is never left alone: nothing, not one of them."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from lab.cast.operator import has_all, is_in_step
from lab.find import find
from lab.measure import CannotMeasure
from lab.measure.figure import Figure, Target, alone
from lab.measure.mesh_phantom import Phantom
from lab.measure.mesh_shop import ERA, PLANES, failed, loaded, routed, shop
from lab.measure.turns import Part, Step
from lab.stage import Stage

PUSHES, FLIPS, ROTATIONS, ALONE_S, ROUNDS = 200, 100, 20, 60.0, 5
QUICK = 10  # a tenth
INSTANCES, LIFE_S, WITHIN_S, LOOK_S = 3, 2.0, 10.0, 0.02
NEVER, SOON = Target("ours", at_most=0.0), Target("ours", at_most=1.0)
CONDITIONS = {
    "pushes": f"an instance comes and goes, {PUSHES} times, under the load of customers",
    "flips": f"all requests go to one version and then to the other, {FLIPS} times: each time a "
    "cluster comes and another goes together with the route to it",
    "rotations": f"certificates live for {LIFE_S:g} s and are renewed at half of that, until every "
    f"instance has had {ROTATIONS}",
    "alone": f"the control plane is killed, and comes back after {ALONE_S:g} s",
    "reconnect": "from the moment it is ready again until all proxies are connected and have "
    "acknowledged all that they are to know",
}

Trouble = Callable[[Stage, bool], None]


def parts(quick: bool) -> list[Part]:
    """Return a part for each kind of trouble and each data plane."""
    each = [
        Part((f"mesh/{plane}/{name}/failed",), planned_s, partial(_calm, plane, name, quick))
        for name, (_, planned_s) in TROUBLES.items()
        for plane in PLANES
    ]
    return each + [
        Part((f"mesh/{plane}/reconnect",), 20.0, partial(_reconnects, plane, quick))
        for plane in PLANES
    ]


def _calm(plane: str, name: str, quick: bool, step: Step) -> list[Figure]:
    trouble, planned_s = TROUBLES[name]
    with _wished(name) as intent, shop(plane, INSTANCES, intent) as stage, loaded(stage) as load:
        trouble(stage, quick)
        load.more(20)
        load.stop()
        count, orders = failed(load), sum(load.outcomes().values())
    step(f"{name}, {plane}", planned_s)
    note = f"of {orders} orders"
    return [alone(f"mesh/{plane}/{name}/failed", "1", [float(count)], NEVER, note)]


@contextmanager
def _wished(trouble: str) -> Iterator[Path | None]:
    """Lives are short from the start: who has a certificate renews it at half of its own life."""
    if trouble != "rotations":
        yield None
        return
    text = (find(ERA).folder / "intent.toml").read_text()
    with TemporaryDirectory() as folder:
        path = Path(folder, "intent.toml")
        path.write_text(text.replace("[mesh]\n", f"[mesh]\ncertificate_life_s = {LIFE_S}\n", 1))
        yield path


def _pushes(stage: Stage, quick: bool) -> None:
    phantom = Phantom(stage.operator, stage.control_plane, "inventory-phantom")
    try:
        for number in range(PUSHES // QUICK if quick else PUSHES):
            phantom.say(is_well=number % 2 == 0, url=stage.address("inventory-1-sidecar"))
            stage.operator.wait(_sees(phantom.name, number % 2 == 0), "the phantom's turn")
    finally:
        phantom.leave()


def _sees(instance: str, is_there: bool) -> Callable[..., bool]:
    def seen(status: dict[str, list[dict[str, str]]]) -> bool:
        return is_there == (instance in {each["instance"] for each in status["endpoints"]})

    return seen


def _flips(stage: Stage, quick: bool) -> None:
    stage.add(version="v2")
    operator = stage.operator
    intent = operator.intent()
    for number in range(FLIPS // QUICK if quick else FLIPS):
        version = ("v2", "v1")[number % 2]
        text = f"[[services.inventory.routes]]\nto = {{ {version} = 100 }}\n"
        operator.obeyed(operator.apply(routed(intent, text)))


def _rotations(stage: Stage, quick: bool) -> None:
    rotations = ROTATIONS // QUICK if quick else ROTATIONS
    until = time.monotonic() + rotations * LIFE_S + WITHIN_S
    while (had := min(map(len, _certificates(stage)))) <= rotations:
        if time.monotonic() > until:
            raise CannotMeasure(f"an agent had {had - 1} rotations instead of {rotations}")
        time.sleep(LOOK_S)


def _certificates(stage: Stage) -> list[list[str]]:
    """What each agent has said of those that it was given."""
    agents = [role for role in stage.roles if role.endswith("-agent")]
    return [re.findall(r": certificate \w+ for ", stage.logs(agent)) for agent in agents]


def _alone(stage: Stage, quick: bool) -> None:
    stage.kill("pilot")
    time.sleep(ALONE_S / QUICK if quick else ALONE_S)
    stage.restart("pilot")
    stage.operator.wait(has_all(stage.instances, "orders"), "everybody is back")


def _reconnects(plane: str, quick: bool, step: Step) -> list[Figure]:
    took_s = []
    with shop(plane, INSTANCES) as stage:
        for _ in range(1 if quick else ROUNDS):
            stage.kill("pilot")
            time.sleep(1.5)  # so that back-off has grown as far as it does
            stage.restart("pilot")
            began = time.monotonic()
            stage.operator.wait(_all_in_step(1 + INSTANCES), "everybody is back")
            took_s.append(time.monotonic() - began)
    step(f"reconnect, {plane}", 20.0)
    return [alone(f"mesh/{plane}/reconnect", "s", took_s, SOON)]


def _all_in_step(proxies: int) -> Callable[..., bool]:
    def seen(status: dict[str, list[dict[str, object]]]) -> bool:
        return sum(is_in_step(node) for node in status["nodes"]) >= proxies

    return seen


TROUBLES: dict[str, tuple[Trouble, float]] = {
    "pushes": (_pushes, 20.0),
    "flips": (_flips, 20.0),
    "rotations": (_rotations, 40.0),
    "alone": (_alone, 75.0),
}
