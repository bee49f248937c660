"""One mesh, two data planes: some nodes have Envoy, some era 6's own proxy, one pilot rules all."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from lab.cast.operator import Status, has_all, is_in_step
from lab.load import Load
from lab.stage import Stage
from tests.targets import Target, why_not

ERA = "6"
MISSING = why_not(Target(ERA, "portable", proxy="envoy"))
OURS, ENVOY = "python", "envoy"
MIXED = {
    "Envoy answers": {"orders": OURS, "inventory-1": OURS, "inventory-2": ENVOY},
    "Envoy asks": {"orders": ENVOY, "inventory-1": ENVOY, "inventory-2": OURS},
}
ROUTE = "[[services.inventory.routes]]\nto = {{ v1 = {}, v2 = {} }}\n"
CUSTOMERS, PATIENCE_S = 3, 5.0
pytestmark = pytest.mark.skipif(bool(MISSING), reason=MISSING)


@pytest.fixture(scope="module", params=MIXED)
def stage(request, seed, tmp_path_factory):
    planes = MIXED[request.param]
    folder = tmp_path_factory.mktemp("mixed")
    versions = {"inventory-2": "v2"}
    with Stage(
        ERA, seed=seed, directory=folder, instances=2, data_planes=planes, versions=versions
    ) as stage:
        stage.operator.wait(all_are_in_step, "everybody knows everything")
        told = {each["node"]: each["data_plane"] for each in stage.operator.status()["nodes"]}
        assert told == planes
        yield stage
        for role in stage.roles:
            stage.crash(role)  # asked kindly, each would see its callers off first


def all_are_in_step(status: Status) -> bool:
    return sum(is_in_step(each) for each in status["nodes"]) == 3


@contextmanager
def customers(stage: Stage, name: str) -> Iterator[Load]:
    """Who order all the while, and are all served."""
    load = Load(stage, CUSTOMERS, name, PATIENCE_S)
    try:
        load.more(CUSTOMERS)
        yield load
        load.more(CUSTOMERS)
    finally:
        told = load.stop()
    assert set(load.outcomes()) == {"placed"}, told


def test_all_requests_go_to_one_version_and_then_to_the_other(stage):
    operator = stage.operator
    intent = operator.intent()
    with customers(stage, "canary") as load:
        for weights in ((80, 20), (0, 100), (100, 0)):
            told = operator.obeyed(operator.apply(intent + ROUTE.format(*weights)))
            assert told["is_settled"], told
            load.more(10)
        assert operator.obeyed(operator.apply(intent))["is_settled"]


def test_an_instance_is_killed_and_comes_back(stage):
    with customers(stage, "killed") as load:
        stage.kill("inventory-2")
        load.more(20)
        stage.restart("inventory-2")
        stage.operator.wait(has_all(stage.instances, "orders"), "both are there")


def test_the_authority_is_replaced(stage):
    operator = stage.operator
    old = operator.status()["authorities"]["signing"]

    def is_over(status: Status) -> bool:
        now = status["authorities"]
        return now["stage"] == "steady" and now["signing"] != old

    with customers(stage, "rotation"):
        operator.ask("POST", "/authorities/rotate", {})
        operator.wait(is_over, "another authority")


def test_a_data_plane_that_there_is_not_is_refused_by_name():
    with pytest.raises(ValueError, match="proxy 'haproxy'; accepted: python, envoy"):
        Stage(ERA, data_planes={"orders": "haproxy"})
    with pytest.raises(ValueError, match="data planes: era 5 has no control plane, era 6 has"):
        Stage("5", data_planes={"orders": "envoy"})
