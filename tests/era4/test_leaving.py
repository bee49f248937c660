"""Told to stop while six customers order without a pause: who was let in has his whole answer."""

import http.client
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest

from era4_framework import server
from era4_framework.config import ServerConfig
from lab.stage import Stage
from tests.era4.asking import head_of, until

CUSTOMERS = 6
PATIENCE_S = 20.0


@dataclass
class Customer:
    """Orders until nobody listens any more; every second one keeps its connection."""

    name: str
    keeps: bool
    answers: list[dict] = field(default_factory=list)
    ended: str = ""  # what there was instead of an answer

    def order(self, url: str) -> None:
        host, port = head_of(url)
        connection = http.client.HTTPConnection(host, port, timeout=PATIENCE_S)
        while not self.ended:
            try:
                self.answers.append(self._ask(connection))
            except (OSError, http.client.HTTPException, ValueError) as error:
                self.ended = type(error).__name__
            if self.ended or not self.keeps:
                connection.close()

    def _ask(self, connection: http.client.HTTPConnection) -> dict:
        number = len(self.answers)
        body = json.dumps({"sku": f"sku-{number % 1000 + 1:04}", "quantity": 1})
        connection.request("PUT", f"/orders/{self.name}-{number}", body)
        return json.loads(connection.getresponse().read())


@pytest.fixture
def stage(tmp_path, seed) -> Iterator[Stage]:
    with Stage("4", seed=seed, directory=tmp_path, instances=2) as stage:
        yield stage


def test_orders_under_steady_load_leaves_in_good_order(stage):
    crowd = [Customer(f"customer-{n}", keeps=n % 2 == 0) for n in range(CUSTOMERS)]
    threads = [threading.Thread(target=each.order, args=[stage.url]) for each in crowd]
    for thread in threads:
        thread.start()
    until(lambda: all(len(each.answers) > 5 for each in crowd))
    assert stage.terminate("orders") == 0
    for thread in threads:
        thread.join()
    # who stood in the kernel's queue as the door was closed is reset: nobody has read his order
    assert {each.ended for each in crowd} <= {"ConnectionRefusedError", "ConnectionResetError"}
    answers = [answer for each in crowd for answer in each.answers]
    assert {answer["outcome"] for answer in answers} == {"placed"}
    assert "Traceback" not in stage.logs("orders")


def test_who_comes_after_the_door_was_told_to_close_is_asked_to_hang_up(stage):
    """A kept connection, on which nothing comes until orders is leaving."""
    host, port = head_of(stage.url)
    kept = http.client.HTTPConnection(host, port, timeout=PATIENCE_S)
    kept.request("GET", "/health")
    first = kept.getresponse()
    first.read()
    leaving = threading.Thread(target=stage.terminate, args=["orders"])
    leaving.start()
    until(lambda: not is_ready(kept))
    kept.close()
    leaving.join()
    assert first.getheader("Connection") is None


def is_ready(connection: http.client.HTTPConnection) -> bool:
    connection.request("GET", "/ready")
    answer = connection.getresponse()
    answer.read()
    if answer.status == 503:
        assert answer.getheader("Connection") == "close"
    return answer.status == 200


def test_the_threads_end_after_the_door_is_closed_however_late_the_loop_hears_of_it(monkeypatch):
    was_open: list[bool] = []
    late_s = 3 * server.QUIET_S
    waitress = SimpleNamespace(active_channels={}, accepting=True)
    waitress.trigger = SimpleNamespace(
        pull_trigger=lambda close: threading.Timer(late_s, close).start()
    )
    waitress.task_dispatcher = SimpleNamespace(
        shutdown=lambda timeout: was_open.append(waitress.accepting)
    )
    monkeypatch.setattr(server, "_close", lambda told: setattr(told, "accepting", False))
    server._drain(waitress, server.Door(), ServerConfig(settle_s=0, drain_s=PATIENCE_S), None)
    assert was_open == [False]
