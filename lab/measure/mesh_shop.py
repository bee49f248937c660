"""A mesh to measure: the shop of era 6, told by one intent or another, its customers counted."""

from __future__ import annotations

import http.client
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from lab.load import Load
from lab.measure import CannotMeasure
from lab.stage import Stage

ERA = "6"
PLANES = {"python": "", "envoy": "envoy"}  # data plane -> what a stage calls it
CUSTOMERS, PATIENCE_S = 8, 5.0
GOOD = ("placed", "already_placed", "out_of_stock")  # the shop works; a shelf may be empty
PROBE = "x-probe"
MEMORY = Path("/dev/shm")  # noqa: S108  (a folder of our own is made there)


@contextmanager
def shop(plane: str, instances: int, intent: Path | None = None) -> Iterator[Stage]:
    """intent: another first wish than the era's. Its files are in memory, where there is such a
    place: a disk that is slow for a moment is no matter of the mesh.

    Raises CannotMeasure if it does not start.
    """
    options: dict[str, Any] = {"proxy": PLANES[plane], "traced": False, "intent": intent}
    place = MEMORY if MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(prefix="eras-measure-", dir=place) as folder:
        try:
            stage = Stage(ERA, "portable", instances=instances, directory=Path(folder), **options)
        except Exception as error:
            raise CannotMeasure(f"era {ERA} behind {plane} did not start: {error}") from error
        with stage:
            yield stage
            for role in stage.roles:
                stage.crash(role)  # asked kindly, each would see its callers off first


@contextmanager
def loaded(stage: Stage) -> Iterator[Load]:
    """Customers who order all the while."""
    load = Load(stage, CUSTOMERS, "steady", PATIENCE_S)
    try:
        load.more(CUSTOMERS)
        yield load
    finally:
        load.stop()


def failed(load: Load) -> int:
    """How many orders the shop could not deal with."""
    return sum(number for outcome, number in load.outcomes().items() if outcome not in GOOD)


def routed(intent: str, routes: str) -> str:
    """The intent, with routes of its own for inventory: TOML's [[services.inventory.routes]]."""
    return f"{intent}\n{routes}"


def answering(status: int) -> str:
    """Routes by which whoever shows PROBE is answered so by its own proxy."""
    return (
        "[[services.inventory.routes]]\n"
        f'headers = {{ "{PROBE}" = "yes" }}\n'
        f"fault = {{ abort_status = {status} }}\n"
    )


class Asker:
    """Asks orders' proxy for inventory again and again, and remembers when it was answered what."""

    def __init__(self, outbound: str) -> None:
        self._place = urlsplit(outbound).netloc
        self._seen = threading.Condition()
        self._last: tuple[int, float] = (0, 0.0)
        self._is_over = False
        self._thread = threading.Thread(target=self._ask_on, daemon=True)
        self._thread.start()

    def until(self, status: int, within_s: float) -> float:
        """When it was first answered so. Raises CannotMeasure if it is not."""
        with self._seen:
            came = self._seen.wait_for(lambda: self._last[0] == status, within_s)
            if not came:
                raise CannotMeasure(f"not answered {status} in {within_s:g} s: {self._last[0]}")
            return self._last[1]

    def stop(self) -> None:
        self._is_over = True
        self._thread.join()

    def _ask_on(self) -> None:
        while not self._is_over:
            with closing(http.client.HTTPConnection(self._place, timeout=PATIENCE_S)) as line:
                try:
                    while not self._is_over:
                        self._hear(_status(line))
                except (OSError, http.client.HTTPException):
                    time.sleep(0.001)  # it is not there, or hung up: ask anew

    def _hear(self, status: int) -> None:
        with self._seen:
            if status != self._last[0]:
                self._last = status, time.perf_counter()
                self._seen.notify_all()


def _status(line: http.client.HTTPConnection) -> int:
    line.request("GET", "/", headers={"Host": "inventory", PROBE: "yes"})
    answer: Any = line.getresponse()
    answer.read()
    return int(answer.status)
