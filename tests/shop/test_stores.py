"""The two files: shared by threads and processes, safe from kill -9, clear about what is wrong."""

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from era0_naive import shop

RESERVE_TILL_EMPTY = """
import sys
from concurrent.futures import ThreadPoolExecutor
from era0_naive import shop

path, name = sys.argv[1:]
stock = shop.Stock(path, [{"sku": "lamp", "stock": 150}])

def clerk(number):
    taken = 0
    while stock.reserve(f"{name}-{number}-{taken}", "lamp", 1).kind == "reserved":
        taken += 1
    return taken

with ThreadPoolExecutor(3) as clerks:
    print(sum(clerks.map(clerk, range(3))))
"""

RESERVE_AND_TELL = """
import sys
from era0_naive import shop

stock = shop.Stock(sys.argv[1], [{"sku": "lamp", "stock": 100_000}])
for number in range(100_000):
    stock.reserve(f"o-{number}", "lamp", 1)
    print(f"o-{number}", flush=True)
"""


RESERVE_TILL_THE_DISK_IS_FULL = """
import resource, sqlite3, sys
from era0_naive import shop

stock = shop.Stock(sys.argv[1], [{"sku": "lamp", "stock": 100_000}])
unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, unlimited[1]))
taken = 0
try:
    while True:
        stock.reserve(f"o-{taken}", "lamp", 1)
        taken += 1
except sqlite3.Error:
    resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
    assert len(stock.reservations()) == taken, "all that was answered, and no half"
    assert stock.reserve("afterwards", "lamp", 1).kind == "reserved"
    print(taken)
"""


def start(script: str, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_four_processes_of_three_threads_sell_every_piece_once(tmp_path: Path):
    path = tmp_path / "stock.db"
    processes = [start(RESERVE_TILL_EMPTY, path, name) for name in "abcd"]
    taken = [int(process.communicate(timeout=60)[0]) for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0, 0]
    assert sum(taken) == 150
    stock = shop.Stock(path)
    assert stock.shelves() == {"lamp": (150, 0)}
    assert len({order_id for order_id, _, _ in stock.reservations()}) == 150
    stock.close()


def test_many_who_open_a_new_file_at_the_same_moment_all_get_it(tmp_path: Path):
    """As the instances of a shop do that starts for the first time."""
    with ThreadPoolExecutor(8) as clerks:
        for number in range(20):
            at_once = threading.Barrier(8)
            path = tmp_path / f"{number}.db"
            for opened in [clerks.submit(open_at_once, path, at_once) for _ in range(8)]:
                opened.result(timeout=60)


def open_at_once(path: Path, at_once: threading.Barrier) -> None:
    at_once.wait(60)
    shop.Stock(path).close()


def test_what_was_answered_survives_kill_9(tmp_path: Path):
    path = tmp_path / "stock.db"
    with start(RESERVE_AND_TELL, path) as process:
        told = [process.stdout.readline().strip() for _ in range(40)]
        process.kill()
        told += process.stdout.read().split()
    stock = shop.Stock(path)
    held = [order_id for order_id, _, _ in stock.reservations()]
    assert held[: len(told)] == told, "none lost"
    assert len(held) <= len(told) + 1, "one may be done and not yet told"
    assert stock.shelves()["lamp"] == (100_000, 100_000 - len(held))
    stock.close()


def test_a_full_disk_loses_nothing_and_is_survived(tmp_path: Path):
    path = tmp_path / "stock.db"
    with start(RESERVE_TILL_THE_DISK_IS_FULL, path) as process:
        taken = int(process.communicate(timeout=60)[0])
    assert taken > 0
    stock = shop.Stock(path)
    assert stock.shelves()["lamp"] == (100_000, 100_000 - taken - 1)
    stock.close()


def test_threads_that_place_cancel_and_show_keep_the_laws(stock, book):
    def customer(number: int) -> None:
        for turn in range(10):
            order_id = f"o-{(number * 7 + turn) % 5}"
            shop.place(book, stock.reserve, order_id, "lamp", 1 + (turn % 2))
            shop.show(book, order_id)
            if turn % 3 == number % 3:
                shop.cancel(book, stock.release, order_id)

    with ThreadPoolExecutor(8) as customers:
        list(customers.map(customer, range(8)))
    assert shop.broken_laws(stock, book) == []
    assert all(order.status in ("placed", "cancelled") for order in book.orders())


def test_a_known_product_keeps_its_stock_when_the_file_is_opened_again(tmp_path):
    first = shop.Stock(tmp_path / "stock.db", [{"sku": "lamp", "stock": 10}])
    first.reserve("o-1", "lamp", 4)
    first.close()
    goods = [{"sku": "lamp", "stock": 99}, {"sku": "tea", "stock": 5}]
    second = shop.Stock(tmp_path / "stock.db", goods)
    assert second.shelves() == {"lamp": (10, 6), "tea": (5, 5)}
    second.close()


def test_a_transaction_that_fails_leaves_nothing(stock):
    with pytest.raises(ZeroDivisionError), stock.transaction():
        stock.reserve("o-1", "lamp", 1)
        1 / 0  # noqa: B018
    assert (stock.reserved("o-1"), stock.shelves()["lamp"]) == ([], (10, 10))
    assert stock.reserve("o-2", "lamp", 1).kind == "reserved", "and the next one works"


def test_a_store_in_a_folder_that_is_not_there_is_refused_by_its_path(tmp_path):
    with pytest.raises(ValueError, match=r"nowhere/stock\.db: unable to open database file; acc"):
        shop.Stock(tmp_path / "nowhere" / "stock.db")


def test_a_store_that_is_a_folder_is_refused(tmp_path):
    with pytest.raises(ValueError, match="unable to open database file; accepted: an SQLite"):
        shop.Book(tmp_path)


def test_a_file_that_is_no_store_is_refused_and_left_as_it_was(tmp_path):
    path = tmp_path / "book.db"
    path.write_text("Dear diary, " * 500)
    with pytest.raises(ValueError, match=r"book\.db: file is not a database; accepted"):
        shop.Book(path)
    assert path.read_text() == "Dear diary, " * 500
