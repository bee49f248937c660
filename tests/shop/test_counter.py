"""The counter when many stand there: who finds no place waits, and nobody ends the service."""

import signal
import socket
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from era0_naive import counter, shop
from tests.shop.roles import FEWEST_FILES, ask, both, order, wait_until_open

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("c")  # short: a Unix socket's path ends at 107 bytes


def test_a_service_that_can_open_nothing_more_serves_on_when_customers_leave(folder):
    files = 24
    with both("era0_naive", folder, files=files) as (_, desk, _):
        crowd = [socket.socket(socket.AF_UNIX) for _ in range(2 * files)]
        for customer in crowd:
            customer.connect(str(folder / "c"))
        wait_until_open(desk.pid, files)
        for customer in crowd:
            customer.close()
        assert ask(folder, order("o-1"))["outcome"] == "placed"


def test_a_full_counter_and_a_connection_for_each_customer_fit_into_the_fewest_files(folder):
    """Inventory is stopped until every customer's request has a connection of its own."""
    most = counter.MOST_CUSTOMERS
    sku = max(shop.catalogue(), key=lambda product: product["stock"])["sku"]
    with (
        both("era2_tcp", folder, files=FEWEST_FILES) as (inventory, desk, _),
        ThreadPoolExecutor(most) as customers,
    ):
        inventory.send_signal(signal.SIGSTOP)
        orders = [order(f"o-{number}", 1, sku) for number in range(most)]
        told = customers.map(ask, [folder] * most, orders)
        wait_until_open(desk.pid, 2 * most)
        inventory.send_signal(signal.SIGCONT)
        assert [each["outcome"] for each in told] == ["placed"] * most
