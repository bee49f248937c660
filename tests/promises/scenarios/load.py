"""Too many customers, too many attempts, a caller that takes too much."""

from concurrent.futures import ThreadPoolExecutor

from tests.promises.failures import Slow, Unlimited
from tests.promises.sidecars import listed
from tests.promises.stand_in import StandIn
from tests.promises.trial import Trial
from tests.promises.trouble import stock_locked
from tests.promises.web import Answer, Request, exchange

AT_ONCE_S = 1.5  # a refusal at once takes milliseconds; the patience of eras 1 and 2, seconds
AT_ONCE = (
    20  # more than any era lets in at the same time, so nobody can have tried for them in vain
)
RETRIES_PER_REQUEST = 0.3  # more bring down what is merely slow: three tries on three floors are 27
FREE_RETRIES = 100  # Finagle's budget: ten a second over ten seconds, whatever the traffic


def more_customers_than_it_can_serve(trial: Trial) -> None:
    """Forty at once, and the store is locked: no order can be finished for the moment.

    Who finds no room must be told so, and when to come again, while the others still wait.
    """
    trial.must_place("before")
    crowd = trial.crowd(40, each=1)
    with stock_locked(trial.stage):
        crowd.come()
        are_told = trial.sees(lambda: len(crowd.refused()) >= AT_ONCE, within_s=AT_ONCE_S)
        answer = _one_more(trial) if are_told else None
    crowd.wait()
    if not are_told:
        raise Slow(f"forty customers, and after {AT_ONCE_S} s less than {AT_ONCE} had been told")
    let_in = [told for told in crowd.told if told not in crowd.refused()]
    assert let_in, "nobody was served"
    for told in let_in:
        trial.expect_placed(told.order_id, told.outcome)
    assert answer and answer.status == 503 and answer.headers.get("retry-after"), answer
    trial.laws_hold()


def _one_more(trial: Trial) -> Answer:
    order = {"sku": trial.sku, "quantity": 1}
    return exchange(Request(trial.stage.url, "PUT", "/orders/one-too-many", body=order))


def everything_fails(trial: Trial) -> None:
    """Two hundred orders, and whoever is asked answers 500: how often is anybody asked?"""
    with StandIn(trial.stage, "stand-in") as failing:
        trial.stage.terminate(trial.instance)
        trial.until(lambda: listed(trial, "orders") == [failing.name], "orders knows no other")
        with trial.crowd(8, each=25) as crowd:
            crowd.wait()
    asked = len(crowd.told)
    assert crowd.refused() == crowd.told
    assert failing.asked > 0, "who was asked?"
    seconds = sum(told.seconds for told in crowd.told) / 8
    most = asked * (1 + RETRIES_PER_REQUEST) + FREE_RETRIES + 10 * seconds
    assert failing.asked <= most, f"{failing.asked} attempts for {asked} orders"


def one_caller_asks_without_end(trial: Trial) -> None:
    """The nightly report wants the whole catalogue, again and again; customers order meanwhile."""
    trial.must_place("before")
    wish = {"op": "catalogue", "page": 0}
    if not trial.stage.era.speaks_http:
        answers = trial.stranger.ask_often(wish, 15)
        raise Unlimited(f"{[answer.outcome for answer in answers]}: nobody counted")
    reports = trial.credential_of("reports")
    with ThreadPoolExecutor(4) as readers:
        answers = list(readers.map(lambda _: trial.stranger.ask(wish, reports), range(60)))
    assert {answer.status for answer in answers} <= {200, 429}, answers
    refused = [answer for answer in answers if answer.status == 429]
    if not refused:
        raise Unlimited("sixty times the catalogue, as fast as it came")
    assert len(refused) < 60, "nothing was served"
    assert all(int(answer.headers["retry-after"]) > 0 for answer in refused)
    trial.must_place("meanwhile")
