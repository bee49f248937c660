"""A stage whose sidecars are ruled from one place: what is there beside era 5's. Tried on era 6."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from lab.cast.operator import has_all
from lab.commands import Conductor
from lab.launch import RoleFailed
from lab.processes import children_of
from lab.stage import Stage
from lab.vocabulary import BadCommand
from lab.wire.process import WireProcess
from tests.lab.processes import FORMS
from tests.targets import Target, why_not

ERA = "6"
SOON_S = 20.0  # of a loaded machine
MISSING = {proxy: why_not(Target(ERA, "portable", proxy=proxy)) for proxy in ("", "envoy")}
PLANES = [
    pytest.param(
        proxy, id=proxy or "python", marks=pytest.mark.skipif(bool(missing), reason=missing)
    )
    for proxy, missing in MISSING.items()
]


@pytest.fixture(scope="module", params=PLANES)
def stage(request, seed, tmp_path_factory):
    folder = tmp_path_factory.mktemp("mesh")
    with Stage(ERA, seed=seed, directory=folder, instances=2, proxy=request.param) as stage:
        yield stage
        for role in stage.roles:
            stage.crash(role)  # asked kindly, each would see its callers off first


@pytest.fixture
def place(stage, request) -> Callable[[], str]:
    """Places an order of a new name; its outcome, and why if that is told."""
    numbers = iter(range(1000))
    customer = stage.customer()

    def placed() -> str:
        order_id = f"{request.node.originalname}-{next(numbers)}"[-64:].strip("-_")
        told = customer.place(order_id, "sku-0001", 1)
        return ": ".join((told["outcome"], *filter(None, [told.get("detail")])))

    return placed


def until(seen: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + SOON_S
    while not seen():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


def test_each_service_has_an_agent_and_a_sidecar_beside_it(stage, place):
    assert stage.instances == ["inventory-1", "inventory-2"]
    beside = {
        f"{name}-{role}" for name in ("orders", *stage.instances) for role in ("agent", "sidecar")
    }
    assert set(stage.roles) == {"pilot", "orders", *stage.instances, *beside}
    assert place() == "placed"


@pytest.mark.parametrize("form", FORMS)
def test_the_control_plane_hears_the_agent_of_each_service(form):
    if missing := why_not(Target(ERA, form)):
        pytest.skip(missing)
    with Stage(ERA, form, instances=1) as stage:
        services = {"inventory", "orders"}
        stage.operator.wait(
            lambda status: {each["service"] for each in status["endpoints"]} == services,
            "of both services an instance",
        )
        assert "refused" not in stage.logs("pilot")
        for role in stage.roles:
            stage.crash(role)


def test_the_operator_asks_and_tells_by_the_stage_or_by_the_era_s_own_command(stage):
    assert has_all(stage.instances, "orders")(stage.operator.status())
    assert "3 connected" in stage.operate(["status"])
    assert stage.operate(["get"]) == stage.operator.intent().rstrip()
    assert "inventory-2" in Conductor(stage, SOON_S).obey("mesh status").text
    with pytest.raises(ValueError, match="certificate_life_s"):
        stage.operator.change("mesh.certificate_life_s", 0)
    with pytest.raises(BadCommand, match="invalid choice"):
        Conductor(stage, SOON_S).obey("mesh conquer")


def test_a_policy_is_changed_for_all_and_nobody_is_started_again(stage, place):
    processes = {role: (stage.pid(role), children_of(stage.pid(role))) for role in stage.roles}
    stage.change_policy("orders", "retry.attempts", 2)
    stage.change_policy("inventory-1", "most_in_flight", 13)
    revision = stage.operator.ask("GET", "/intent")["revision"]
    nodes = stage.operator.obeyed(revision)["nodes"]
    assert {each["node"] for each in nodes if each["connected"]} >= {"orders", *stage.instances}
    assert place() == "placed"
    now = {role: (stage.pid(role), children_of(stage.pid(role))) for role in stage.roles}
    assert now == processes


def test_without_its_control_plane_the_shop_goes_on_and_finds_it_again_where_it_was(stage, place):
    address = stage.address("pilot")
    stage.kill("pilot")
    assert {place() for _ in range(3)} == {"placed"}
    stage.restart("pilot")
    assert stage.address("pilot") == address
    stage.operator.wait(has_all(stage.instances, "orders"), "everybody is back")
    assert place() == "placed"


def test_one_node_can_be_cut_off_from_the_control_plane_alone(stage, place):
    def connected() -> set[str]:
        return {each["node"] for each in stage.operator.status()["nodes"] if each["connected"]}

    until(lambda: connected() >= {"orders", *stage.instances}, "nobody is cut off yet")
    with cut_off(stage.control_of("orders")):
        until(lambda: "orders" not in connected(), "the control plane misses orders")
        assert connected() >= {*stage.instances}
        assert place() == "placed"
    until(lambda: "orders" in connected(), "orders is back")


@contextmanager
def cut_off(way: WireProcess) -> Iterator[None]:
    """Healed at the end of the block, or all later tests fail, too."""
    way.partition()
    try:
        yield
    finally:
        way.heal()


def test_an_instance_of_another_version_joins_moves_and_leaves(stage, place):
    name = stage.add(version="v2")
    versions = {each["instance"]: each["version"] for each in stage.operator.status()["endpoints"]}
    assert (versions["inventory-1"], versions[name]) == ("v1", "v2")
    before = stage.address(f"{name}-sidecar")
    stage.move(name)
    assert stage.address(f"{name}-sidecar") != before
    assert stage.terminate(name) == 0
    assert {place() for _ in range(3)} == {"placed"}


def test_a_killed_agent_costs_nobody_anything_and_comes_back_with_what_it_had(stage, place):
    stage.kill("inventory-1-agent")
    assert {place() for _ in range(3)} == {"placed"}
    stage.restart("inventory-1-agent")
    began = time.monotonic()

    def is_heard() -> bool:
        so_far_s = time.monotonic() - began
        endpoints = stage.operator.status()["endpoints"]
        return any(
            each["instance"] == "inventory-1" and each["age_s"] < so_far_s for each in endpoints
        )

    until(is_heard, "what it says; who is listed may be so for the rest of a lease only")
    stage.operator.wait(has_all(["inventory-1", "inventory-2"], "orders"), "both are there")


def test_a_killed_proxy_is_started_again_and_told_again(request, stage, place):
    before = children_of(stage.pid("inventory-2-sidecar"))
    stage.kill("inventory-2-sidecar")
    until(lambda: children_of(stage.pid("inventory-2-sidecar")) - before, "another proxy")
    if request.node.callspec.id == "envoy":  # its sockets die with it: who has just called is told
        until(lambda: place() == "placed", "inventory-1 is found")
    assert {place() for _ in range(3)} == {"placed"}
    stage.operator.wait(has_all(["inventory-1", "inventory-2"], "orders"), "both are there")


def test_another_proxy_takes_over(stage, place):
    before = children_of(stage.pid("orders-sidecar"))
    stage.upgrade("orders")
    assert not children_of(stage.pid("orders-sidecar")) & before
    assert place() == "placed"


def test_what_an_era_without_a_control_plane_has_not():
    with Stage("tests.lab.web_era", instances=1, traced=False) as stage:
        with pytest.raises(ValueError, match="has no sidecars"):
            stage.operator.status()
        with pytest.raises(ValueError, match="has no sidecars"):
            stage.control_of("orders")


@pytest.mark.skipif(bool(MISSING[""]), reason=MISSING[""])
def test_an_intent_that_is_none_is_told_with_its_line(tmp_path):
    path = tmp_path / "intent.toml"
    path.write_text("[mesh]\nmtls = 7\n[services]\n")
    with pytest.raises(RoleFailed, match=r"intent.toml, line 2: mesh.mtls is 7"):
        Stage(ERA, intent=path, traced=False)
