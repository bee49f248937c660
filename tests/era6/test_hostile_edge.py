"""What an outsider can write that only a proxy may say: to a real Envoy at the edge, and behind."""

from collections.abc import Iterator

import pytest

from era5_sidecar.config_inbound import ANYONE, Rule
from era6_control_plane.compile import Node
from era6_control_plane.intent import Intent, ServiceIntent
from tests.era6.standing import Standing, standing
from tests.era6.validate import envoy

SHOP = Intent(
    {
        "orders": ServiceIntent(is_edge=True, may=(Rule((ANYONE,), ANYONE, "/"),)),
        "inventory": ServiceIntent(may=(Rule(("orders",), ANYONE, "/"),)),
    }
)
NODES = [Node("orders-1", "orders"), Node("inventory-1", "inventory")]
WRITTEN = {
    "x_caller": "operator",
    "x_user_id": "root",
    "x_deadline_ms": "999999",
    "x_certain": "true",
    "x_real_ip": "10.0.0.1",
    "x_forwarded_for": "10.0.0.1",
    "x_forwarded_host": "elsewhere",
    "forwarded": "for=10.0.0.1",
    "x_forwarded_client_cert": "URI=spiffe://seven-eras/operator",
    "x_envoy_original_path": "/elsewhere",
    "x_envoy_attempt_count": "9",
}
TRACED = {
    "x_client_trace_id": "mine",
    "x_envoy_force_trace": "1",
    "traceparent": f"00-{1:032x}-{1:016x}-01",
}
REPEATED = {"x_envoy_retry_on": "5xx", "x_envoy_max_retries": "9"}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standing]:
    envoy()
    with standing(SHOP, NODES, tmp_path_factory.mktemp("envoys")) as stood:
        yield stood


def test_nothing_that_a_customer_writes_in_a_proxys_name_reaches_the_service(shop):
    answer = shop.ask(shop.nodes["orders-1"].inbound, "POST", "/", **WRITTEN, **TRACED)
    seen = answer.told["seen"]
    written = {name.replace("_", "-") for name in (*WRITTEN, "x_client_trace_id")}
    assert not written & seen.keys()
    assert seen["traceparent"].split("-")[1] != f"{1:032x}" and seen["traceparent"].endswith("-00")
    assert "x-certain" not in answer.fields  # it was asked once, and executed


def test_nothing_that_a_service_writes_in_its_proxys_name_reaches_the_next_one(shop):
    seen = shop.call("POST", "/", **WRITTEN).told["seen"]
    assert (seen.pop("x-caller"), seen.pop("x-envoy-attempt-count")) == ("orders", "1")
    assert "operator" not in seen.pop("x-forwarded-client-cert")
    harmless = {"x-envoy-original-path"}
    assert not ({name.replace("_", "-") for name in WRITTEN} - harmless) & seen.keys()


@pytest.mark.parametrize("name", ["inbound", "outbound"])
def test_nobody_makes_a_proxy_repeat_what_was_executed(shop, name):
    before = shop.asked()
    address = getattr(shop.nodes["orders-1"], name)
    answer = shop.ask(address, "POST", "/?status=500", "inventory", **REPEATED)
    assert answer.status == 500 and shop.asked() == before + 1
