"""What one can say to a running shop, and what is answered to what one cannot."""

import pytest

from era0_naive.counter import MOST_CUSTOMERS
from lab.commands import Conductor
from lab.stage import Stage
from lab.vocabulary import BadCommand, operation_of
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


def test_a_knob_keeps_its_range(conductor):
    with pytest.raises(KnobError, match="accepted: a probability"):
        conductor.obey("loss 2")
    with pytest.raises(KnobError, match="accepted: a list of"):
        conductor.obey("there vanish")


def test_a_quantity_that_is_no_number_is_said_as_it_is():
    for said in ("many", "--5", "9" * 5000):
        assert operation_of(["place", "o-1", "sku-0001", said])["quantity"] == said
