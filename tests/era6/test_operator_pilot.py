"""The operator's interface of a real control plane, which may be killed at any moment."""

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from era5_sidecar.server import listener_at
from era6_control_plane.mesh_client import ControlPlane, Refused
from era6_control_plane.operator_api import OperatorApi
from tests.era6.operators import TOKEN, until
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
        until(lambda: len(accepted) >= 30)
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
        answered = 0
        while not applying.done():
            there.ask("GET", "/status")  # answered by the loop that serves all nodes
            answered += 1
        assert applying.result()["revision"] == 2
    assert answered > 3, "the first waited until all was done"


def test_it_closes_well_also_where_its_loop_does_at_once_what_it_is_only_about_to_be_told(tmp_path):
    api = OperatorApi(None, None, TOKEN)
    api.serve(listener_at(f"unix:{tmp_path}/operator"))
    trigger = api._server.trigger
    pull, pulls = trigger._physical_pull, []

    def pull_late():
        pulls.append(len(pulls))
        if len(pulls) > 1:  # another wakes the loop before who asks it to end does
            pull()
            until(lambda: not api._server._map)
        pull()

    trigger._physical_pull = pull_late
    api.close()
    assert len(pulls) == 2 and trigger._closed
