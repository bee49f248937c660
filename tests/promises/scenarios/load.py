"""Too many customers, too many attempts, a caller that takes too much."""

from tests.promises.failures import Slow, Unlimited
from tests.promises.scenarios.instances import listed
from tests.promises.stand_in import StandIn
from tests.promises.trial import Trial
from tests.promises.web import Answer, Request, exchange

AT_ONCE_S = 1.5  # a refusal at once takes milliseconds; the patience of eras 1 and 2, seconds
RETRIES_PER_REQUEST = 0.3  # more bring down what is merely slow: three tries on three floors are 27
FREE_RETRIES = 100  # Finagle's budget: ten a second over ten seconds, whatever the traffic


def more_customers_than_it_can_serve(trial: Trial) -> None:
    """Forty at once, and the store is locked: no order can be finished for the moment.

    Who finds no room must be told so, and when to come again, while the others still wait.
    """
    trial.must_place("before")
    crowd = trial.crowd(40, each=1)
    with trial.stock_locked():
        crowd.come()
        some_are_told = trial.sees(
            lambda: any(told.is_refused for told in crowd.told), within_s=AT_ONCE_S
        )
        answer = _one_more(trial) if some_are_told else None
    crowd.wait()
    if not some_are_told:
        raise Slow(f"forty customers, and after {AT_ONCE_S} s nobody had been told anything")
    for told in crowd.told:
        if not told.is_refused:
            trial.expect_placed(told.order_id, told.outcome)
    assert any(told.is_placed for told in crowd.told), "nobody was served"
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
    assert all(told.is_refused for told in crowd.told), crowd.told
    assert failing.asked >= asked, f"only {failing.asked} attempts: who was asked?"
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
    token = trial.token_of("reports")
    assert trial.stranger.ask(wish, token).status == 200
    answers = (trial.stranger.ask(wish, token) for _ in range(100))
    refused = next((answer for answer in answers if answer.status != 200), None)
    if refused is None:
        raise Unlimited("a hundred times the catalogue, as fast as it came")
    assert refused.status == 429 and int(refused.headers["retry-after"]) > 0, refused
    trial.must_place("meanwhile")
    assert trial.stranger.ask(wish, token).status == 429, "the order made room for more"
