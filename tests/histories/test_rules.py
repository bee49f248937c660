"""The shop itself, without a network: threads as customers, the real rules and stores."""

import threading

import pytest

from era0_naive import shop
from lab.contract import Customer
from lab.history import Stores, read_stores
from lab.laws import check
from lab.linear import Verdict, check_shelves
from tests.contract.oracle import Oracle
from tests.histories.crowd import Crowd


def stores_of(oracle: Oracle) -> Stores:
    orders = {o.order_id: (o.sku, o.quantity, o.status) for o in oracle.book.orders()}
    return Stores(oracle.stock.shelves(), oracle.stock.reservations(), orders)


@pytest.fixture
def scarce() -> list[str]:
    """Goods of which some run out under a crowd."""
    return [p["sku"] for p in sorted(shop.catalogue(), key=lambda p: (p["stock"], p["sku"]))[:4]]


@pytest.mark.parametrize("run", range(3))
def test_eight_threads_at_the_rules_break_no_law(tmp_path, seed, scarce, run):
    oracle = Oracle(tmp_path)
    crowd = Crowd(lambda: Customer(oracle), scarce, seed + run)
    crowd.run(customers=8, each=60, strikes=[])
    history, stores = crowd.recorder.operations(), stores_of(oracle)
    assert check(history, stores, settled=True) == []
    assert set(check_shelves(history, stores).values()) == {Verdict.YES}
    assert "out_of_stock" in {call.outcome for call in history}, "nothing ran out: too easy"
    assert shop.broken_laws(oracle.stock, oracle.book) == []


def test_a_wire_that_doubles_requests_breaks_the_rules_and_the_checker_sees_it(
    tmp_path, seed, scarce
):
    class Doubled(Oracle):
        def __init__(self, directory):
            super().__init__(directory)
            once = self.stock.reserve
            self.stock.reserve = lambda *order: once(*order) and once(*order)

    oracle = Doubled(tmp_path)
    crowd = Crowd(lambda: Customer(oracle), scarce, seed)
    crowd.run(customers=8, each=10, strikes=[])
    laws = {v.law for v in check(crowd.recorder.operations(), stores_of(oracle))}
    assert "at most one effect" in laws


def test_the_stock_is_read_at_one_instant_while_goods_come_and_go(tmp_path):
    oracle = Oracle(tmp_path)
    stock, book = tmp_path / "oracle-stock.db", tmp_path / "oracle-book.db"
    stop = threading.Event()

    def come_and_go() -> None:
        while not stop.is_set():
            oracle.stock.reserve("o", "sku-0001", 1)
            oracle.stock.release("o")

    busy = threading.Thread(target=come_and_go)
    busy.start()
    try:
        for _ in range(100):
            assert [v for v in check([], read_stores(stock, book)) if "initial" in v.law] == []
    finally:
        stop.set()
        busy.join()
