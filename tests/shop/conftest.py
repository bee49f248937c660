"""A small shop: two goods on the shelf, both stores in files of the test's own."""

from pathlib import Path

import pytest

from era0_naive import shop

GOODS = [{"sku": "lamp", "stock": 10}, {"sku": "mug", "stock": 3}]


@pytest.fixture
def stock(tmp_path: Path):
    opened = shop.Stock(tmp_path / "stock.db", GOODS)
    yield opened
    opened.close()


@pytest.fixture
def book(tmp_path: Path):
    opened = shop.Book(tmp_path / "book.db")
    yield opened
    opened.close()
