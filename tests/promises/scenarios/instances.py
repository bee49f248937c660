"""Instances that die, hang, are slow, fail, move and are replaced; and the list of them."""

import itertools
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from lab.find import child_environment
from lab.wire.process import WireProcess
from tests.promises import mesh
from tests.promises.failures import Obeys, Slow, StaysDown
from tests.promises.sidecars import listed, ruler_of
from tests.promises.stand_in import StandIn
from tests.promises.trial import BOUND_S, Trial
from tests.promises.trouble import bytes_there, paths

FAILURES_TO_TRIP = 5  # of the wire contract: so often an instance may fail before it is left alone
TRIES = 3
PROBES_PER_S = 1.0  # also of it: and then it is asked so often whether it is well again


def the_only_instance_dies(trial: Trial) -> None:
    trial.must_place("before")
    trial.stage.kill(trial.instance)
    if trial.place("orphan")["outcome"] == "placed":
        return
    trial.stage.restart(trial.instance)
    trial.must_serve_again("afterwards")
    raise StaysDown("refused while it was dead; served again only after a restart by hand")


def the_instance_is_restarted(trial: Trial) -> None:
    """At the same address, between two orders."""
    trial.must_place("before")
    trial.stage.kill(trial.instance)
    trial.stage.restart(trial.instance)
    trial.must_serve_again("afterwards")
    trial.laws_hold()


def one_of_several_dies(trial: Trial) -> None:
    """kill -9, in the middle of what it does for customers who never stop to order."""
    with trial.crowd(4) as crowd:
        crowd.go_on(8)
        trial.stage.kill(trial.instance)
        crowd.go_on(40)
    crowd.must_be_served()
    trial.laws_hold()


def one_of_several_hangs(trial: Trial) -> None:
    """SIGSTOP: it takes requests and never answers. Some wait to find that out, then nobody."""
    trial.must_place("before")
    trial.stage.pause(trial.instance)
    try:
        _must_be_left_alone(trial, lambda: bytes_there(paths(trial.stage)[0]))
    finally:
        trial.stage.resume(trial.instance)
    trial.laws_hold()


def one_of_several_fails_always(trial: Trial) -> None:
    """It answers 500 to everything, fast: who takes the quickest would take it every time."""
    with StandIn(trial.stage, "stand-in") as failing:
        trial.until(lambda: failing.name in listed(trial, "orders"), "orders knows it")
        _must_be_left_alone(trial, lambda: failing.asked)
        assert failing.asked > 0, "nobody ever asked it"


def _must_be_left_alone(trial: Trial, reached_it: Callable[[], int]) -> None:
    """All of 40 orders are placed, and not half of them ask the one that is no good.

    reached_it: a count that grows whenever it is asked.
    """
    asked, idle_s, before = 0, 0.0, reached_it()
    for n in range(40):
        began = time.monotonic()
        trial.must_place(f"order-{n}")
        after = reached_it()
        if after > before:
            asked += 1
        else:
            idle_s += time.monotonic() - began
        before = after
    if asked > FAILURES_TO_TRIP + 2 + PROBES_PER_S * idle_s:
        raise Slow(f"{asked} of 40 orders asked one that is no good")


def one_of_several_is_slow(trial: Trial) -> None:
    """Not slow enough to count as dead: whoever asks it is served, a little less than 0.5 s later.

    Four customers at once: who counts how busy each is sees it, who takes turns does not.
    """
    trial.must_place("before")
    ways = paths(trial.stage)
    ways[0].set(delay_s=0.2)
    if not any(_is_spared(trial, ways) for _ in range(TRIES if len(ways) > 1 else 1)):
        raise Slow("the slow one did half of the work")


def _is_spared(trial: Trial, ways: Sequence[WireProcess]) -> bool:
    """Whether the first one is given less than its share: half of it, if orders took turns. On a
    busy machine the others are slow, too, for a while.
    """
    before = [bytes_there(way) for way in ways]
    with trial.crowd(4) as crowd:
        crowd.go_on(36 if len(ways) > 1 else 8)
    crowd.must_be_served()
    work = [bytes_there(way) - early for way, early in zip(ways, before, strict=True)]
    return work[0] <= sum(work) / 3


def an_instance_moves(trial: Trial) -> None:
    """It dies here and comes up at another address; and then nobody else is left."""
    with trial.crowd(2) as crowd:
        crowd.go_on(4)
        with _moved(trial):
            crowd.go_on(4)
    crowd.must_be_served()
    for other in trial.stage.instances[1:]:
        trial.stage.kill(other)
    orders = (trial.order(f"there-{n}") for n in itertools.count())
    if not trial.sees(lambda: trial.ask(next(orders))["outcome"] == "placed", BOUND_S):
        raise StaysDown("nobody found the one that had moved")


@contextmanager
def _moved(trial: Trial) -> Iterator[None]:
    if trial.stage.era.speaks_http:
        was = listed(trial, "registry")
        trial.stage.move(trial.instance)
        trial.until(lambda: listed(trial, "registry") != was, "the registry knows")
        yield
        return
    trial.stage.kill(trial.instance)
    store = str(trial.stage.directory / "stock.db")
    listen = f"{trial.stage.era.schemes['portable']}://127.0.0.1:0"
    argv = [sys.executable, "-m", trial.stage.era.package, "inventory"]
    with subprocess.Popen(
        [*argv, "--listen", listen, "--store", store],
        stdout=subprocess.PIPE,
        env=child_environment(),
        text=True,
    ) as elsewhere:
        assert elsewhere.stdout
        try:
            assert "ready" in elsewhere.stdout.readline()
            yield
        finally:
            elsewhere.terminate()


def all_are_replaced_one_by_one(trial: Trial) -> None:
    """A new release, while customers order: SIGTERM, wait for its end, start the next."""
    with trial.crowd(3) as crowd:
        crowd.go_on(6)
        for name in trial.stage.instances:
            code = trial.stage.terminate(name)
            crowd.go_on(6)
            crowd.must_be_served()
            assert code == 0, f"{name} ended with {code}: {trial.stage.logs(name)[-500:]}"
            trial.stage.restart(name)
            crowd.go_on(6)
    crowd.must_be_served()
    trial.laws_hold()


def the_registry_dies_and_comes_back_empty(trial: Trial) -> None:
    """For longer than orders waits between two questions to it: so many orders take a second."""
    with trial.crowd(2) as crowd:
        crowd.go_on(4)
        everybody = listed(trial, "registry")
        trial.stage.kill(ruler_of(trial.stage))
        _forget_everything(trial)
        crowd.go_on(80)
        trial.stage.restart(ruler_of(trial.stage))
        trial.until(lambda: listed(trial, "registry") == everybody, "it forgot nobody")
        crowd.go_on(20)
    crowd.must_be_served()
    names = sorted(trial.stage.instances)
    trial.until(lambda: listed(trial, "orders") == names, "orders knows everybody")


def _forget_everything(trial: Trial) -> None:
    """A registry does so by itself; a control plane keeps a file of who was there."""
    if trial.stage.era.has_control_plane:
        for file in mesh.state_of(trial.stage).glob("membership.db*"):
            file.unlink()


def one_speaks_another_language(trial: Trial) -> None:
    """The shop's business is whole in it. A stranger asks it, without a word about who he is."""
    trial.must_place("mine")
    order = {"op": "reserve", "order_id": "stolen", "sku": trial.sku, "quantity": 1}
    answer = trial.stranger.ask(order)
    if answer.outcome == "reserved":
        raise Obeys("goods were reserved for an order that no customer placed")
    assert answer.is_for_strangers, answer
