"""A stage of services with sidecars: every verb, and who notices. Tried on era 5."""

import os
import time
from collections.abc import Callable

import pytest

from lab.commands import Conductor
from lab.contract import Customer, ShopClosed
from lab.launch import RoleFailed
from lab.processes import children_of
from lab.stage import NoWay, Stage
from tests.lab.processes import FORMS

ERA = "5"
SOON_S = 10.0  # of a loaded machine


@pytest.fixture(scope="module", params=FORMS)
def stage(request, seed, tmp_path_factory):
    folder = tmp_path_factory.mktemp("mesh")
    with Stage(ERA, request.param, seed=seed, directory=folder, instances=2) as stage:
        yield stage
        for role in stage.roles:
            stage.crash(role)  # asked kindly, each would see its callers off first


@pytest.fixture
def customer(stage) -> Customer:
    return stage.customer()


@pytest.fixture
def place(stage, request) -> Callable[[], str]:
    """Places an order of a new name; its outcome."""
    numbers = iter(range(1000))
    customer = stage.customer()

    def placed() -> str:
        order_id = f"{request.node.originalname}-{next(numbers)}"[-64:].strip("-_")
        return customer.place(order_id, "sku-0001", 1)["outcome"]

    return placed


def until(seen: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + SOON_S
    while not seen():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


def proxy_of(stage: Stage, role: str) -> int:
    """The pid of the one proxy that this sidecar keeps running."""
    until(lambda: len(children_of(stage.pid(role))) == 1, f"{role} has one proxy")
    (pid,) = children_of(stage.pid(role))
    return pid


def test_each_service_has_a_sidecar_and_a_socket_of_its_own(stage, place):
    assert stage.instances == ["inventory-1", "inventory-2"]
    sidecars = ["inventory-1-sidecar", "inventory-2-sidecar", "orders-sidecar"]
    assert set(stage.roles) == {"registry", "orders", *stage.instances, *sidecars}
    for role in ("orders", *stage.instances):
        assert stage.address(role).startswith("unix:/")
        assert os.stat(stage.address(role).removeprefix("unix:")).st_mode & 0o077 == 0
    for role in sidecars:
        assert stage.address(role).startswith("http://")
    assert place() == "placed"


def test_nobody_on_the_wire_can_read_what_is_ordered(stage):
    stage.customer().place("a-secret-order", "sku-0002", 1)
    heads = [event.head for event in stage.trace() if event.process == "wire"]
    assert len(heads) > 4
    for word in (b"secret-order", b"/reservations"):  # a real wire also carries the registry's list
        assert not any(word in head for head in heads)


def test_a_killed_service_is_told_from_one_that_was_not(stage, place):
    sidecar = stage.pid("inventory-1-sidecar")
    stage.kill("inventory-1")
    assert {place() for _ in range(4)} == {"placed"}
    stage.restart("inventory-1")
    assert place() == "placed"
    assert stage.pid("inventory-1-sidecar") == sidecar


def test_a_killed_proxy_is_started_again_and_its_service_does_not_notice(stage, place):
    service, supervisor = stage.pid("orders"), stage.pid("orders-sidecar")
    before = proxy_of(stage, "orders-sidecar")
    stage.kill("orders-sidecar")
    assert place() == "placed", "who comes meanwhile waits at the supervisor's socket"
    assert proxy_of(stage, "orders-sidecar") != before
    assert (stage.pid("orders"), stage.pid("orders-sidecar")) == (service, supervisor)


def test_a_crash_takes_both_and_a_restart_brings_both_back_where_they_were(stage, place):
    address = stage.address("inventory-2-sidecar")
    stage.crash("inventory-2")
    for role in ("inventory-2", "inventory-2-sidecar"):
        with pytest.raises(RoleFailed, match="is not running"):
            stage.pause(role)
    assert {place() for _ in range(4)} == {"placed"}
    stage.restart("inventory-2")
    assert stage.address("inventory-2-sidecar") == address
    assert place() == "placed"


def test_without_orders_sidecar_the_shop_is_closed(stage, place):
    url = stage.url
    stage.crash("orders-sidecar")
    with pytest.raises(ShopClosed):
        place()
    stage.restart("orders-sidecar")
    assert stage.url == url
    assert place() == "placed"


def test_an_instance_can_be_told_to_end_and_loses_nobody(stage, place):
    assert stage.terminate("inventory-1") == 0
    assert {place() for _ in range(4)} == {"placed"}
    stage.restart("inventory-1")
    assert place() == "placed"


def test_an_instance_moves_and_another_joins(stage, place):
    before = stage.address("inventory-1-sidecar")
    stage.move("inventory-1")
    assert stage.address("inventory-1-sidecar") != before
    assert {place() for _ in range(4)} == {"placed"}
    name = stage.add()
    until(lambda: place() == "placed" and asked(stage, name), f"{name} is asked")
    with pytest.raises(ValueError, match="none has had yet"):
        stage.add("inventory-1")


def asked(stage: Stage, instance: str) -> bool:
    return any(event.what == "call" and event.target == instance for event in stage.trace())


def test_an_empty_registry_is_filled_again(stage, place):
    stage.kill("registry")
    assert place() == "placed"
    address = stage.registry_url
    stage.restart("registry")
    assert stage.registry_url == address
    assert place() == "placed"


def test_a_policy_changes_while_all_run_on(stage, place):
    pids = {role: stage.pid(role) for role in stage.roles}
    proxy = proxy_of(stage, "orders-sidecar")
    stage.change_policy("orders", "retry.attempts", 2)
    until(lambda: "is in force" in stage.logs("orders-sidecar"), "the sidecar says so")
    assert place() == "placed"
    assert {role: stage.pid(role) for role in stage.roles} == pids
    assert proxy_of(stage, "orders-sidecar") == proxy


def test_a_policy_that_is_none_is_refused_with_its_line_and_the_old_one_stays(stage, place):
    stage.change_policy("inventory-1", "quotas.reports.rate_per_s", -1)
    refused = "inventory-1-sidecar.toml, line"
    until(lambda: refused in stage.logs("inventory-1-sidecar"), "the sidecar names the line")
    assert place() == "placed"
    stage.change_policy("inventory-1", "quotas.reports.rate_per_s", 5)


def test_what_a_sidecar_makes_of_a_command_is_told_with_it(stage):
    conductor = Conductor(stage, SOON_S)
    told = conductor.obey("policy orders retry.attempts -1").text
    assert "orders has been told: retry.attempts = -1; " in told
    assert "retry.attempts is -1: accepted is" in told
    assert "what was said before stays in force" in told
    assert "retry.attempts is -1" in conductor.obey("reload orders").text
    told = conductor.obey("policy orders retry.attempts 2").text
    assert told == "orders has been told: retry.attempts = 2", "no port of its own is in the way"
    assert conductor.obey("reload orders-sidecar").text == ""


def test_an_upgrade_that_comes_to_nothing_says_why(stage, place):
    stage.change_policy("inventory-1", "quotas.reports.rate_per_s", -1)
    before = proxy_of(stage, "inventory-1-sidecar")
    with pytest.raises(RoleFailed, match="rate_per_s is -1: accepted is") as failed:
        stage.upgrade("inventory-1")
    assert "no upgrade: the new proxy ended with exit code 2" in str(failed.value)
    assert proxy_of(stage, "inventory-1-sidecar") == before
    assert place() == "placed"
    stage.change_policy("inventory-1", "quotas.reports.rate_per_s", 5)


def test_who_is_killed_over_a_file_that_was_spoilt_serves_by_what_was_in_force(stage, place):
    """The file is spoilt in the very moment of a reload, and the proxy dies then."""
    path = stage.directory / "orders-sidecar.toml"
    hearing = stage.hear("orders")
    stage.change_policy("orders", "retry.attempts", 3)
    path.write_text("banana")
    until(lambda: "force" in hearing.said(), "it has read one of both")
    stage.reload("orders")
    until(lambda: "'banana' is no TOML" in hearing.said(), "it refuses it")
    stage.kill("orders-sidecar")
    assert {place() for _ in range(5)} == {"placed"}
    stage.change_policy("orders", "retry.attempts", 2)


def test_another_proxy_takes_over(stage, place):
    service, before = stage.pid("inventory-1"), proxy_of(stage, "inventory-1-sidecar")
    stage.upgrade("inventory-1")
    assert proxy_of(stage, "inventory-1-sidecar") != before
    assert stage.pid("inventory-1") == service
    assert place() == "placed"


def test_what_has_no_sidecar_cannot_be_told_what_only_sidecars_hear(stage):
    for verb in (stage.reload, stage.upgrade):
        with pytest.raises(ValueError, match="registry has no sidecar"):
            verb("registry")


def test_an_era_without_sidecars_says_which_has_them():
    with Stage("tests.lab.web_era", instances=1, traced=False) as stage:
        for verb in (stage.reload, stage.upgrade):
            with pytest.raises(ValueError, match="has no sidecars, era 5 has"):
                verb("orders")
        with pytest.raises(NoWay):
            stage.change_policy("orders", "retry.attempts", 1)
        stage.crash("orders")
        with pytest.raises(ShopClosed):
            stage.customer().show("o-1")
