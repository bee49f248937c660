"""Eras 3 and 4 in one deployment: what one of them says by hand, the other one's library says."""

import sys
from contextlib import closing

import pytest

from era0_naive import shop
from lab.stage import Stage, Variant
from tests.era4.asking import read, until

BY_HAND, BY_LIBRARY = "era3_inline_microservice", "era4_framework"


@pytest.fixture(params=[(BY_HAND, BY_LIBRARY), (BY_LIBRARY, BY_HAND)], ids=["3 asks", "4 asks"])
def stage(request, tmp_path, seed):
    """Orders of one era, an inventory of each."""
    asking, other = request.param
    neighbour = Variant(argv=[sys.executable, "-m", other])
    with Stage(
        asking, seed=seed, directory=tmp_path, instances=2, variants={"inventory-2": neighbour}
    ) as stage:
        yield stage


def test_orders_of_either_era_are_served_by_inventories_of_both(stage):
    customer = stage.customer()
    for number in range(12):
        assert customer.place(f"o-{number}", f"sku-{number + 1:04}", 1)["outcome"] == "placed"
        assert customer.place(f"o-{number}", f"sku-{number + 1:04}", 2)["outcome"] == "conflict"
    assert customer.cancel("o-3")["outcome"] == "cancelled"
    assert len(customer.catalogue()["products"]) == 1500
    notes = [each for each in stage.trace() if each.what == "note" and each.id]
    assert {each.process for each in notes} == {"inventory-1", "inventory-2"}
    assert broken_laws(stage) == []


def test_both_count_under_the_same_names(stage):
    customer = stage.customer()
    counted = 'requests_total{callee="inventory",caller="orders",op="reserve",outcome="reserved"}'
    addresses = [stage.address(name) for name in stage.instances]
    for number in range(100):
        if all(counted.encode() in read(f"{address}/metrics") for address in addresses):
            break
        customer.place(f"o-{number}", "sku-0001", 1)
    else:
        pytest.fail("one of the two was never asked, or counts otherwise")


def test_an_instance_of_one_era_takes_over_from_one_of_the_other(stage):
    customer = stage.customer()
    assert customer.place("o-1", "sku-0001", 1)["outcome"] == "placed"
    stage.kill("inventory-1")
    assert customer.place("o-2", "sku-0001", 1)["outcome"] == "placed"
    assert customer.cancel("o-1")["outcome"] == "cancelled"
    stage.restart("inventory-1")
    stage.kill("inventory-2")
    until(lambda: customer.place("o-3", "sku-0001", 1)["outcome"] in ("placed", "already_placed"))
    assert broken_laws(stage) == []


def broken_laws(stage: Stage) -> list[str]:
    stock, book = shop.Stock(stage.directory / "stock.db"), shop.Book(stage.directory / "book.db")
    with closing(stock), closing(book):
        return shop.broken_laws(stock, book)
