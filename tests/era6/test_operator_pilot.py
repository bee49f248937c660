"""The operator's interface of a real control plane, which may be killed at any moment."""

import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from era6_control_plane.mesh_client import ControlPlane, Refused
from tests.era6.operators import PATIENCE_S
from tests.era6.roles import Begun, begin

ONE = "[services.a]\nsettle_s = {}\n"
WRITERS = 4


@contextmanager
def pilot(folder: Path) -> Iterator[tuple[Begun, ControlPlane]]:
    """One that is ready; killed at the end of the block."""
    state, anywhere = folder / "state", "https://127.0.0.1:0"
    listens = ["--nodes", anywhere, "--join", anywhere, "--operator", f"unix:{folder}/operator"]
    process = begin("pilot", "--state", str(state), *listens)
    try:
        while "ready" not in (line := process.stdout.readline()):
            assert line, "it ended before it was ready"
        yield process, ControlPlane(f"unix:{folder}/operator", str(state / "operator.token"))
    finally:
        process.end()


def test_what_was_accepted_is_in_force_after_a_kill(tmp_path):
    accepted: dict[int, str] = {}

    def change(there: ControlPlane, first: int) -> None:
        for number in range(first, 10_000, WRITERS):
            text = ONE.format(number % 3000)
            try:
                told = there.ask("PUT", "/intent", {"text": text, "who": f"writer {first}"})
            except (OSError, ValueError, Refused):
                return
            accepted[told["revision"]] = text

    with pilot(tmp_path) as (process, there), ThreadPoolExecutor(WRITERS) as pool:
        for first in range(WRITERS):
            pool.submit(change, there, first)
        until = time.monotonic() + PATIENCE_S
        while len(accepted) < 30:
            assert time.monotonic() < until
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
    with pilot(tmp_path) as (_, there):
        newest = there.ask("GET", "/intent")
        assert newest["revision"] >= max(accepted)
        assert newest["text"] == accepted.get(newest["revision"], newest["text"])
        listed = there.ask("GET", "/history?limit=1000")["revisions"]
        assert [each["revision"] for each in listed] == list(range(newest["revision"], 0, -1))


def test_an_intent_of_five_thousand_routes_keeps_nobody_waiting_for_long(tmp_path):
    route = '[[services.s{0}.routes]]\nheaders = {{ u = "{1}" }}\n'
    text = "".join(
        f"[services.s{number}]\n" + "".join(route.format(number, each) for each in range(1000))
        for number in range(5)
    )
    with pilot(tmp_path) as (_, there), ThreadPoolExecutor(1) as pool:
        there.ask("PUT", "/intent", {"text": ONE.format(1), "who": "ada"})
        applying = pool.submit(there.ask, "PUT", "/intent", {"text": text, "who": "ada"})
        longest_s = 0.0
        while not applying.done():
            begin = time.monotonic()
            there.ask("GET", "/status")  # answered by the loop that serves all nodes
            longest_s = max(longest_s, time.monotonic() - begin)
        assert applying.result()["revision"] == 2
    assert longest_s < 5.0
