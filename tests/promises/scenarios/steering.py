"""What an operator does to the whole mesh from one place: routes, faults, permissions."""

import http.client
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from urllib.parse import urlsplit

from tests.promises import mesh
from tests.promises.failures import Disagrees, Obeys
from tests.promises.sidecars import outbound_of, proxies_of
from tests.promises.trial import Trial

SERVED_BY = "x-served-by"  # instance and version
ASKED = 100
CANARY = 20  # of a hundred
ROUTES = "services.inventory.routes"
MAY = "services.inventory.may"
PATIENCE_S = 5.0


def a_canary_is_let_out(trial: Trial) -> None:
    """A new version: at first only who asks for it by a header, then a fifth of all, then all. No
    process is started again, and no customer refused.
    """
    stage = trial.stage
    stage.add("inventory-2", version="v2")
    before = proxies_of(stage, "orders")
    by_header = {"headers": {"x-canary": "yes"}, "to": {"v1": 0, "v2": 100}}
    with trial.crowd(1) as crowd:
        _want(trial, [by_header, {"to": {"v1": 100, "v2": 0}}])
        _must_be(_shares(trial, ASKED), v2=(0, 0))
        _must_be(_shares(trial, 20, {"x-canary": "yes"}), v2=(20, 20))
        _want(trial, [by_header, {"to": {"v1": 100 - CANARY, "v2": CANARY}}])
        _must_be(_shares(trial, ASKED), v2=(ASKED * 0.05, ASKED * 0.4))
        _want(trial, [{"to": {"v1": 0, "v2": 100}}])
        _must_be(_shares(trial, 20), v2=(20, 20))
        crowd.go_on(2)
    crowd.must_be_served()
    assert proxies_of(stage, "orders") == before


def a_fault_is_injected(trial: Trial) -> None:
    """To see whether the shop can bear it: reading the goods fails, or is slow; ordering is as it
    was. Then it is taken back.
    """
    path = "/catalogue"
    with trial.crowd(1) as crowd:
        crowd.go_on(2)
        _want(trial, [{"path": path, "fault": {"abort_status": 503}}])
        assert [_ask(trial, path)[0] for _ in range(3)] == [503] * 3
        _want(trial, [{"path": path, "fault": {"delay_s": 0.3}}])
        assert min(_waits_s(trial, path) for _ in range(3)) >= 0.3, "somebody did not wait"
        _want(trial, [])
        assert min(_waits_s(trial, path) for _ in range(10)) < 0.3, "all are slow still"
        crowd.go_on(2)
    crowd.must_be_served()


def _waits_s(trial: Trial, path: str) -> float:
    began = time.monotonic()
    assert _ask(trial, path)[0] == 200
    return time.monotonic() - began


def a_permission_is_withdrawn(trial: Trial) -> None:
    """Orders has a true name, and nothing else speaks for it: what no rule allows is refused, to it
    as to everybody, from the moment at which the rule goes to that at which it is back.
    """
    trial.must_place("before")
    rules = mesh.intent_of(trial.stage)["services"]["inventory"]["may"]
    mesh.want(trial.stage, MAY, [rule for rule in rules if rule["method"] != "PUT"])
    if trial.place("meanwhile")["outcome"] == "placed":
        raise Obeys("orders reserved goods, and nothing allows it to")
    assert not trial.reservations_of("meanwhile")
    mesh.want(trial.stage, MAY, rules)
    trial.must_place("afterwards")
    trial.laws_hold()


def _want(trial: Trial, routes: list[dict[str, object]]) -> None:
    if not mesh.want(trial.stage, ROUTES, routes)["is_settled"]:
        raise Disagrees(f"not everybody obeys {routes}")


def _shares(trial: Trial, times: int, headers: dict[str, str] | None = None) -> Counter[str]:
    """How often each version answered whoever asks through orders' sidecar."""
    with closing(_line(trial)) as line:
        told = [_answer(line, "DELETE", "/reservations/none", headers) for _ in range(times)]
    assert {status for status, _ in told} == {200}, Counter(told)
    return Counter(who.rpartition(" ")[2] for _, who in told)


def _must_be(shares: Counter[str], v2: tuple[float, float]) -> None:
    least, most = v2
    if not least <= shares["v2"] <= most:
        raise Disagrees(f"v2 served {shares['v2']} times, not {least:g} to {most:g}: {shares}")


def _ask(trial: Trial, path: str) -> tuple[int, str]:
    with closing(_line(trial)) as line:
        return _answer(line, "GET", path)


def _line(trial: Trial) -> http.client.HTTPConnection:
    place = urlsplit(outbound_of(trial.stage, "orders")).netloc
    return http.client.HTTPConnection(place, timeout=PATIENCE_S)


def _answer(
    line: http.client.HTTPConnection,
    method: str,
    path: str,
    headers: Mapping[str, str] | None = None,
) -> tuple[int, str]:
    line.request(method, path, headers={"Host": "inventory", **(headers or {})})
    answer = line.getresponse()
    answer.read()
    return answer.status, answer.getheader(SERVED_BY, "")
