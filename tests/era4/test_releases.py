"""Two releases of the framework in one shop: which pair of services loses which promise.

Real processes, each with the release that is first on its PYTHONPATH. Two promises are asked for:

* identity: an order is placed, so inventory knew who asked.
* deadline: inventory does nothing for a customer who has stopped waiting. It is held up (the
  test holds the store's lock) until the customer is gone, and must then leave the shelf alone.
"""

import json
import sqlite3
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from lab.release import install
from lab.stage import Stage, Variant

PATIENCE_S = 10.0
CUSTOMER_MS = 400  # how long an impatient customer waits: less than orders gives one attempt
# What is left of a deadline is told as a duration, so each hop adds its own latency to it: only
# after that nobody waits for certain. Inventory must wait longer for its store than both together.
HOPS_S = 0.3
LONGEST_SEARCH = 40  # orders until every instance has had one: a fair coin falls 39 times alike

BOTH = {"identity", "deadline"}
KEPT = {  # (orders, inventory): what holds
    (1, 1): BOTH,
    (1, 2): {"identity"},  # the deadline is lost, and nobody is told
    (2, 1): set(),  # 401: no deadline was ever asked for
    (2, 2): BOTH,
}


@pytest.fixture(scope="module")
def releases(tmp_path_factory) -> dict[int, Variant]:
    folder = install("era4_framework", "two", tmp_path_factory.mktemp("release-two"))
    argv = [sys.executable, "-m", "tests.era4.patient"]
    return {
        1: Variant(argv=argv),
        2: Variant(argv=argv, environment={"PYTHONPATH": str(folder)}),
    }


@contextmanager
def shop(tmp_path: Path, seed: int, instances: int, cast: dict[str, Variant]) -> Iterator[Stage]:
    with Stage("4", seed=seed, directory=tmp_path, instances=instances, variants=cast) as stage:
        yield stage


@pytest.mark.parametrize("pair", KEPT)
def test_a_pair_of_services_keeps_what_both_releases_understand(tmp_path, seed, releases, pair):
    orders, inventory = (releases[number] for number in pair)
    with shop(tmp_path, seed, 1, {"orders": orders, "inventory-1": inventory}) as stage:
        assert kept(stage) == {"inventory-1": KEPT[pair]}


@pytest.mark.parametrize(
    "order", [("inventory-1", "inventory-2", "orders"), ("orders", "inventory-1", "inventory-2")]
)
def test_all_is_well_again_when_the_last_service_was_deployed_anew(tmp_path, seed, releases, order):
    """Three services, three restarts, whichever comes first; an upgrade in between is no cure."""
    running = dict.fromkeys(order, 1)
    is_well: list[bool] = []
    with shop(tmp_path, seed, 2, dict.fromkeys(order, releases[1])) as stage:
        for name in order:
            stage.restart(name, releases[2])
            running[name] = 2
            pairs = {each: (running["orders"], running[each]) for each in stage.instances}
            found = kept(stage)
            assert found == {each: KEPT[pair] for each, pair in pairs.items()}
            is_well.append(all(promises == BOTH for promises in found.values()))
    assert is_well == [False, False, True]


# ---- how the promises are asked for


def kept(stage: Stage) -> dict[str, set[str]]:
    """Instance -> what it and orders keep together."""
    knows: dict[str, bool] = {}
    stops: dict[str, bool] = {}
    for number in range(LONGEST_SEARCH):
        if all(name in stops or knows.get(name) is False for name in stage.instances):
            break
        patient, late = f"o-{time.monotonic_ns()}-{number}", f"late-{time.monotonic_ns()}-{number}"
        place(stage, patient, 5_000)
        knows |= who_knew(stage, patient)
        was_left_alone = ask_too_late(stage, late)
        knows |= who_knew(stage, late)
        for name in asked(stage, late)[-1:]:  # nobody, if the customer's time was up before
            if knows[name]:
                stops[name] = was_left_alone
    told = {"identity": knows, "deadline": stops}
    return {
        name: {promise for promise, found in told.items() if found.get(name)}
        for name in stage.instances
    }


def asked(stage: Stage, order_id: str) -> list[str]:
    """The instances that orders asked for this order: after one that does not know it, others."""
    calls = [each for each in stage.trace() if each.id == order_id and each.what == "call"]
    return [each.target for each in calls if each.source == "orders"]


def who_knew(stage: Stage, order_id: str) -> dict[str, bool]:
    """Instance -> whether it knew that it was orders who asked."""
    notes = [each.note for each in stage.trace() if each.id == order_id and each.what == "note"]
    strangers = {name for name in stage.instances for note in notes if f"{name}: no token" in note}
    return {name: name not in strangers for name in asked(stage, order_id)}


def ask_too_late(stage: Stage, order_id: str) -> bool:
    """Whether the shelf was left alone that nobody waited for."""
    store = stage.directory / "stock.db"
    with held(store):
        outcome = place(stage, order_id, CUSTOMER_MS)
        assert outcome["outcome"] == "unavailable", outcome
        time.sleep(HOPS_S)
    names = asked(stage, order_id)
    until(lambda: all(is_done(stage, name, order_id) for name in names))
    with closing(sqlite3.connect(store)) as db:
        taken = db.execute("SELECT 1 FROM reservations WHERE order_id = ?", [order_id]).fetchall()
    return not taken


def is_done(stage: Stage, name: str, order_id: str) -> bool:
    """Whether this instance has told that it has finished with the order, as often as asked."""
    notes = [each for each in stage.trace() if (each.id, each.what) == (order_id, "note")]
    told = [each for each in notes if each.process == name]
    return len(told) == asked(stage, order_id).count(name)


@contextmanager
def held(store: Path) -> Iterator[None]:
    """Nobody can write into the store meanwhile."""
    db = sqlite3.connect(store, isolation_level=None)
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        db.execute("ROLLBACK")
        db.close()


def place(stage: Stage, order_id: str, patience_ms: int) -> dict:
    """A customer who says in both languages how long he waits."""
    patience = str(patience_ms)
    request = urllib.request.Request(  # noqa: S310
        f"{stage.url}/orders/{order_id}",
        json.dumps({"sku": "sku-0001", "quantity": 1}).encode(),
        {"X-Deadline-Ms": patience, "Request-Timeout-Ms": patience},
        method="PUT",
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            return json.loads(answer.read())
    except urllib.error.HTTPError as refused:
        with refused:
            return json.loads(refused.read())


def until(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.01)
