"""What one can say to a running shop, and what is answered to what one cannot."""

import re
import threading

import pytest

from era0_naive.counter import MOST_CUSTOMERS
from lab.commands import Conductor
from lab.stage import Stage
from lab.vocabulary import HELP, BadCommand, operation_of
from lab.wire import KnobError


@pytest.fixture(scope="module")
def conductor(seed):
    with Stage("0", seed=seed, traced=False) as stage:
        yield Conductor(stage, patience_s=5)


def test_customers_knobs_and_fate_are_obeyed(conductor):
    assert conductor.obey("place o-1 sku-0001 2").outcome == "placed"
    assert conductor.obey("show o-1").text == "placed: 2 of sku-0001 as o-1"
    assert conductor.obey("place o-1 sku-0001 -2").outcome == "invalid"
    assert conductor.obey("catalogue").text == "catalogue: 1500 products"
    assert conductor.obey("delay_s 0.001").text == ""
    assert "there: " in conductor.obey("stats").text
    assert "2 of sku-0001 as o-1" in conductor.obey("stores").text


def test_customers_who_were_served_make_room_for_others(conductor):
    told = {conductor.obey("show o-99").outcome for _ in range(MOST_CUSTOMERS + 1)}
    assert told == {"not_found"}


def test_a_customer_need_not_be_waited_for(conductor):
    conductor.obey("pause inventory")
    assert conductor.obey("place o-7 sku-0001 1 &").text == ""
    conductor.obey("resume inventory")
    ((line, answer),) = conductor.join()
    assert (line, answer.outcome) == ("place o-7 sku-0001 1 &", "placed")
    assert conductor.join() == []


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("dance", "'dance' is no command; accepted:"),
        ("loss", "'loss' is no command"),
        ("loss much", "loss is 'much'; accepted: a number"),
        ("queue_bytes 1.5", "queue_bytes is '1.5'; accepted: a whole number"),
        ("partitioned 1", "cut and heal"),
        ("kill wire", "role 'wire': accepted are inventory, orders"),
        ("place o-1 sku-0001", "accepted are place ORDER SKU QUANTITY"),
    ],
)
def test_what_is_no_command_is_refused_in_words(conductor, line, told):
    with pytest.raises(BadCommand, match=told):
        conductor.obey(line)


@pytest.fixture(scope="module")
def many(seed):
    with Stage("tests.lab.web_era", seed=seed, instances=2) as stage:
        yield Conductor(stage, patience_s=5)


def test_a_load_orders_until_it_is_stopped_and_tells_what_came_of_it(many):
    assert many.obey("load 3").text == ""
    with pytest.raises(BadCommand, match="a load already; accepted: load stop"):
        many.obey("load 3")
    many.obey("place o-1 sku-0001 1")
    for _ in range(2):
        more = many.obey("load more 4").text
        assert re.fullmatch(TOLD, more) and 4 <= int(more.split()[0]) < 20, more
    told = many.obey("load stop").text
    assert re.fullmatch(TOLD, told) and int(told.split()[0]) >= 8, told
    with pytest.raises(BadCommand, match="no load to stop"):
        many.obey("load stop")


TOLD = r"[0-9]+ orders in [0-9.]+ s: [0-9]+ placed; p50 [0-9.]+ ms, p99 [0-9.]+ ms"


def test_a_load_ends_with_the_scene_it_was_in(many):
    many.obey("load 1")
    many.obey("place o-2 sku-0001 1 &")
    (waited, answer), (line, report) = many.join()
    assert (waited, answer.outcome, line) == ("place o-2 sku-0001 1 &", "placed", "load stop")
    assert re.fullmatch(TOLD, report.text), report.text
    assert not [thread for thread in threading.enumerate() if "_order" in thread.name]


def test_a_load_ends_with_its_stage(seed):
    with Stage("tests.lab.web_era", seed=seed, instances=1, traced=False) as stage:
        before = threading.active_count()
        Conductor(stage, patience_s=5).obey("load 4")
        assert threading.active_count() >= before + 4
    assert threading.active_count() <= before


def test_instances_come_go_and_move_by_command(many):
    assert many.obey("add").text.startswith("inventory-3 at http://127.0.0.1:")
    assert many.obey("terminate inventory-3").text == "ended with exit code 0"
    before = many.obey("move inventory-2").text
    assert before.startswith("now at http://127.0.0.1:")
    assert many.obey("place o-3 sku-0001 1").outcome == "placed"


def test_one_instances_path_is_turned_by_its_name(many):
    for line in ("inventory-2 delay_s 0.01", "inventory-2 cut", "inventory-2 heal"):
        assert many.obey(line).text == ""
    assert many.obey("place o-4 sku-0001 1").outcome == "placed"


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("load 0", "load is '0'; accepted: a number of customers from 1 to 100, or stop"),
        ("load many", "load is 'many'"),
        ("load more 4", "no load of which to see more; accepted: load N"),
        ("inventory-2 vanish", "'inventory-2 vanish'; accepted: inventory-2 KNOB VALUE, or cut"),
        ("inventory-2 loss much", "loss is 'much'; accepted: a number"),
        ("inventory-7 cut", "is no command; accepted"),
        ("move orders", "instance 'orders': accepted are inventory-1, "),
    ],
)
def test_what_cannot_be_done_to_instances_is_refused_in_words(many, line, told):
    with pytest.raises(BadCommand, match=told):
        many.obey(line)


@pytest.mark.parametrize("line", ["add", "move inventory", "inventory cut"])
def test_one_instance_is_neither_moved_nor_multiplied(conductor, line):
    with pytest.raises(BadCommand, match="era 0 has one inventory at one address"):
        conductor.obey(line)


def test_help_fits_a_terminal():
    assert max(map(len, HELP.splitlines())) <= 80


def test_a_knob_keeps_its_range(conductor):
    with pytest.raises(KnobError, match="accepted: a probability"):
        conductor.obey("loss 2")
    with pytest.raises(KnobError, match="accepted: a list of"):
        conductor.obey("there vanish")


def test_a_quantity_that_is_no_number_is_said_as_it_is():
    for said in ("many", "--5", "9" * 5000):
        assert operation_of(["place", "o-1", "sku-0001", said])["quantity"] == said
