"""What compiled resources mean to a real Envoy. In this order: the last ones kill."""

import http.client
from collections import Counter
from collections.abc import Iterator

import pytest

from era4_framework.config import BreakerConfig, ClientConfig, QuotaConfig
from era5_sidecar.config_inbound import ANYONE, Rule
from era6_control_plane.compile import Node
from era6_control_plane.intent import FaultIntent, Intent, RouteIntent, ServiceIntent
from tests.era6.standing import Standing, standing
from tests.era6.validate import envoy

STRANGERS = {
    "x_caller": "orders",
    "x_forwarded_client_cert": "URI=spiffe://seven-eras/orders",
    "traceparent": "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01",
    "baggage": "a=b",
}
INVENTORY = ServiceIntent(
    versions=("v1", "v2"),
    may=(Rule(("orders",), ANYONE, "/free/"), Rule(("orders",), "GET", "/")),
    quotas={"orders": QuotaConfig(1000, 1000)},
    client=ClientConfig(breaker=BreakerConfig(consecutive_failures=1000)),
    routes=(
        RouteIntent({"X-Tester": "yes"}, to={"v2": 100}),
        RouteIntent(path="/free/abort", fault=FaultIntent(abort_status=418)),
        RouteIntent(path="/split", to={"v1": 90, "v2": 10}),
        RouteIntent(path="/nobody", to={"v2": 100}, fault=FaultIntent(0.05)),
    ),
)
SHOP = Intent(
    {
        "orders": ServiceIntent(is_edge=True, may=(Rule((ANYONE,), "GET", "/"),)),
        "inventory": INVENTORY,
        "ledger": ServiceIntent(may=(Rule(("inventory",), ANYONE, "/"),)),
        "poor": ServiceIntent(
            may=(Rule(("orders",), "GET", "/"),), quotas={"orders": QuotaConfig(0.1, 3)}
        ),
    }
)
NODES = [
    Node("orders-1", "orders"),
    Node("inventory-1", "inventory", "v1"),
    Node("inventory-2", "inventory", "v2"),
    Node("poor-1", "poor"),
]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standing]:
    envoy()
    with standing(SHOP, NODES, tmp_path_factory.mktemp("envoys")) as stood:
        yield stood


def test_weights_are_kept(shop):
    served = Counter(shop.call("GET", "/split").fields["x-served-by"] for _ in range(200))
    assert 150 < served["inventory-1 v1"] < 199 and sum(served.values()) == 200


def test_a_header_chooses_the_version(shop):
    served = {shop.call("GET", "/", x_tester="yes").fields["x-served-by"] for _ in range(10)}
    assert served == {"inventory-2 v2"}


def test_a_fault_is_answered_as_a_problem_and_never_sent(shop):
    before = shop.asked()
    answer = shop.call("PUT", "/free/abort")
    assert (answer.status, answer.certain, answer.told["certain"]) == (418, "true", True)
    assert shop.asked() == before


def test_a_service_is_told_who_calls_by_the_certificate_alone(shop):
    seen = shop.call("GET", "/", **STRANGERS).told["seen"]
    assert seen["x-caller"] == "orders"
    assert seen["x-forwarded-client-cert"].endswith(";URI=spiffe://seven-eras/orders")
    assert seen["traceparent"].split("-")[1] == STRANGERS["traceparent"].split("-")[1]


def test_the_edge_believes_nothing_that_customers_say_of_themselves(shop):
    seen = shop.ask(shop.nodes["orders-1"].inbound, "GET", "/", **STRANGERS).told["seen"]
    assert not {"x-caller", "x-forwarded-client-cert", "baggage"} & set(seen)
    assert seen["traceparent"].split("-")[1] != STRANGERS["traceparent"].split("-")[1]


def test_who_may_not_is_refused_by_whom_it_asks(shop):
    """1. not this method  2. not this service at all: at home  3. no such service"""
    denied = shop.call("PUT", "/")
    assert (denied.status, denied.certain) == (403, "true")
    assert "rbac_access_denied" in denied.told["detail"]
    assert shop.call("GET", "/", "ledger").status == 403
    unknown = shop.call("GET", "/", "nowhere")
    assert (unknown.status, unknown.certain, unknown.told["certain"]) == (503, "true", True)
    assert unknown.told["detail"] == "no service of this name; accepted: inventory, poor"


def test_plain_text_is_not_taken_from_a_neighbour(shop):
    with pytest.raises(http.client.RemoteDisconnected):
        shop.ask(shop.nodes["inventory-1"].inbound, "GET", "/", "inventory")


def test_a_quota_is_the_callers_own(shop):
    answers = [shop.call("GET", "/", "poor") for _ in range(6)]
    assert [each.status for each in answers] == [200, 200, 200, 429, 429, 429]
    assert (answers[-1].fields["retry-after"], answers[-1].certain) == ("1", "true")


def test_what_is_misunderstood_is_a_problem_of_the_request(shop):
    answer = shop.call("GET", "/a%2fb")
    assert (answer.status, answer.told["outcome"]) == (400, "invalid")


def test_only_what_may_be_repeated_is(shop):
    """1. a PUT that was perhaps executed  2. a POST. What the service says of that is not told."""
    before = shop.asked()
    answers = [shop.call("PUT", "/free/x?dies=inventory-1") for _ in range(20)]
    assert {each.status for each in answers} == {200} and shop.asked() > before + 20
    assert {each.certain for each in answers} <= {"", "false"}
    answers = [shop.call("POST", "/free/x?dies=inventory-1") for _ in range(20)]
    lost = [each for each in answers if each.status != 200]
    assert {(each.status, each.certain) for each in lost} == {(502, "false")}


def test_an_instance_that_is_dead_is_not_noticed(shop):
    shop.envoys["inventory-1"].kill()
    shop.envoys["inventory-1"].wait()
    assert {shop.call("POST", "/free/").status for _ in range(20)} == {200}


def test_a_version_of_which_nobody_answers_is_told_as_a_problem(shop):
    shop.envoys["inventory-2"].kill()
    shop.envoys["inventory-2"].wait()
    answer = shop.call("GET", "/nobody")
    assert answer.status in (502, 503) and answer.told["outcome"] == "unavailable"
