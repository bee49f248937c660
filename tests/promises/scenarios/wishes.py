"""One wish, one effect: what is repeated, replayed, late, or no longer wanted."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from tests.promises.failures import ForNobody, Hangs
from tests.promises.trial import Trial
from tests.promises.trouble import answers_lost, bytes_there, paths, stock_locked
from tests.promises.web import Request, answers_at, exchange

PATIENCE_MS = 200  # less than inventory waits for its store, in all eras


def an_order_is_repeated_after_a_lost_answer_and_a_crash(trial: Trial) -> None:
    """Reserved, the answer lost, orders killed: the customer does the only right thing, repeats."""
    trial.must_place("before")
    _lose_the_answer_and_crash(trial, quantity=2)
    assert trial.place("once")["outcome"] in ("placed", "already_placed")
    trial.must_be_reserved_once("once")


def the_last_goods_are_ordered_twice(trial: Trial) -> None:
    """The same, and the first attempt has emptied the shelf: the goods are there, and are his."""
    trial.must_place("before")
    whole_shelf = max(product["stock"] for product in trial.goods) - 2
    _lose_the_answer_and_crash(trial, quantity=whole_shelf)
    trial.place("once", quantity=whole_shelf)
    trial.laws_hold()
    trial.must_be_reserved_once("once")


def _lose_the_answer_and_crash(trial: Trial, quantity: int) -> None:
    with ThreadPoolExecutor(1) as background, answers_lost(trial.stage):
        background.submit(trial.asked, trial.order("once", quantity))
        trial.until(lambda: trial.reservations_of("once") == 1, "the reservation")
        trial.stage.kill("orders")
    trial.stage.restart("orders")


def frames_are_sent_again(trial: Trial) -> None:
    """A listener keeps what orders sent and sends it once more, byte for byte."""
    trial.must_place("once")
    trial.stranger.send(trial.stranger.frames_of_orders())
    trial.must_place("afterwards")  # what was sent before has been heard by now
    trial.must_be_reserved_once("once")


def a_whole_request_is_sent_again(trial: Trial) -> None:
    """Not its packets, which TCP would know again: the same request on a connection of its own."""
    trial.must_place("once")
    request = {"op": "reserve", "order_id": "once", "sku": trial.sku, "quantity": 2}
    answer = trial.stranger.ask(request, trial.credential_of("orders"))
    assert answer.outcome == "reserved", answer
    trial.must_be_reserved_once("once")


def a_request_comes_too_late(trial: Trial) -> None:
    """An instance falls asleep over a request; the order is placed through another, and cancelled.

    Then the sleeper wakes up and does what it was asked.
    """
    sleeper = trial.instance
    trial.stage.pause(sleeper)
    try:
        order_id = _order_that_also_went_to(trial, sleeper)
        cancelled = trial.ask({"op": "cancel", "order_id": order_id})
    finally:
        trial.stage.resume(sleeper)
    assert cancelled["outcome"] == "cancelled"
    trial.until(lambda: _is_awake(trial, sleeper, order_id), "it wakes up")
    trial.laws_hold()


def _is_awake(trial: Trial, sleeper: str, order_id: str) -> bool:
    """It has dealt with the request. Whose sidecar hung up when the time was over may not do it at
    all any more: then it is enough that it answers who came after that.
    """
    if trial.has_come("reserve", order_id, sleeper):
        return True
    address = trial.stage.address(sleeper)
    return address.startswith("unix:") and answers_at(address.removeprefix("unix:"))


def _order_that_also_went_to(trial: Trial, sleeper: str) -> str:
    path = paths(trial.stage)[0]
    for n in range(40):
        before = bytes_there(path)
        trial.must_place(f"late-{n}")
        if bytes_there(path) > before:
            return f"late-{n}"
    raise AssertionError(f"of 40 orders none was ever tried at {sleeper}")


def the_customer_has_gone(trial: Trial) -> None:
    """The store is locked for longer than the customer has time. Then it is free again."""
    trial.must_place("before")
    with stock_locked(trial.stage):
        _ask_and_leave(trial)
    trial.until(lambda: trial.has_come("reserve", "late"), "inventory has dealt with it")
    if trial.reservations_of("late"):
        raise ForNobody("goods were reserved for a customer who had stopped waiting")


def _ask_and_leave(trial: Trial) -> None:
    order = trial.order("late")
    if not trial.stage.era.speaks_http:
        with suppress(Hangs):
            trial.ask(order, patience_s=PATIENCE_MS / 1000)
        return
    body = {"sku": order["sku"], "quantity": order["quantity"]}
    patience = {"X-Deadline-Ms": str(PATIENCE_MS)}
    answer = exchange(Request(trial.stage.url, "PUT", "/orders/late", patience, body))
    assert (answer.status in (503, 504), answer.outcome) == (True, "unavailable"), answer
