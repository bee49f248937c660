"""What the sidecar's measurement makes of given outcomes, and what it is told by its tools."""

import os
import socket
import subprocess
import sys
import threading

import pytest

from lab.measure import (
    CannotMeasure,
    paced,
    sidecar,
    sidecar_bodies,
    sidecar_idle,
    sidecar_latency,
    sidecar_slow,
    sidecar_throughput,
    wrk,
)
from lab.measure.figure import Figure
from lab.measure.resources import PROC, Peak, cpu_s, resident_bytes
from lab.measure.sidecar_side import Side
from lab.measure.sidecar_sides import EQUAL, OURS
from lab.measure.sidecar_throughput import Run
from lab.measure.standins import streams

SAID = """Running 2s test @ http://127.0.0.1:1/
  1 threads and 16 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.09ms  161.25us   4.88ms   92.31%
  29324 requests in 2.00s, 10.04MB read
Requests/sec:  14661.51
"""


def by_name(figures: list[Figure]) -> dict[str, Figure]:
    return {figure.name: figure for figure in figures}


@pytest.fixture
def bodies():
    """The upstream of large bodies, in this process; its port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=streams.serve, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    yield listener.getsockname()[1]
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()


@pytest.mark.parametrize("quick", [True, False])
def test_no_two_parts_yield_the_same_figure(quick):
    names = [name for part in sidecar.parts(quick) for name in part.names]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("path", sidecar_throughput.PEERS)
def test_a_cell_of_load_yields_exactly_the_figures_that_it_announces(path):
    runs = {name: [Run(1.0, 2.0, 3.0)] for name in sidecar_throughput.contestants(path)}
    figures = by_name(sidecar_throughput.figures(path, 16, runs))
    assert sorted(figures) == sorted(sidecar_throughput.names(path, 16))


def test_only_envoy_with_equal_policies_has_targets():
    runs = {name: [Run(1.0, 2.0, 3.0)] for name in sidecar_throughput.contestants("outbound")}
    figures = sidecar_throughput.figures("outbound", 1, runs)
    assert {figure.name.rpartition("/")[2] for figure in figures if figure.target} == {EQUAL}


def test_what_a_proxy_adds_is_told_round_by_round():
    with_it, without = [[0.003, 0.004], [0.006, 0.007]], [[0.001, 0.002], [0.001, 0.002]]
    assert sidecar_latency.added_us(with_it, without, 0.5) == pytest.approx([2000, 5000])


def test_latency_yields_the_figures_that_it_announces():
    rounds = {name: [[0.002, 0.003]] for name in sidecar_latency.WHO}
    with pytest.raises(CannotMeasure, match="too busy"):
        sidecar_latency.figures("inbound", rounds)
    rounds[sidecar_latency.NONE] = [[0.001, 0.002]]
    figures = by_name(sidecar_latency.figures("inbound", rounds))
    assert sorted(figures) == sorted(sidecar_latency.names("inbound"))


def test_bodies_and_idle_connections_yield_the_figures_that_they_announce():
    speeds = {name: [100.0] for name in sidecar_bodies.WHO}
    figures = by_name(sidecar_bodies.figures("1MB", "up", speeds, 1.0))
    assert sorted(figures) == sorted(sidecar_bodies.names("1MB", "up"))
    load = wrk.Load(10, 1.0, 0)
    idle = by_name(sidecar_idle.figures(100, {OURS: (1.0, load), EQUAL: (2.0, load)}))
    assert sorted(idle) == sorted(sidecar_idle.NAMES)
    assert "allows no more" in idle[sidecar_idle.NAMES[0]].note


def test_slow_connections_yield_the_figures_that_they_announce():
    load = wrk.Load(10, 1.0, 0)
    figures = by_name(sidecar_slow.figures(500, 0.5, {OURS: load, EQUAL: load}))
    assert sorted(figures) == sorted(sidecar_slow.NAMES)
    assert "1000 bytes a second" in figures[sidecar_slow.NAMES[0]].note


def test_each_slow_connection_says_a_byte_now_and_then():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        with sidecar_slow.dribbling(url, 3, 0.01):
            inside = [listener.accept()[0] for _ in range(3)]
            heard = [b""] * 3
            while any(each.count(b"a") < 8 for each in heard):
                heard = [
                    so_far + each.recv(100) for so_far, each in zip(heard, inside, strict=True)
                ]
        for each in inside:
            each.close()
    assert all(b"X-Slow: aa" in each and b"\r\n\r\n" not in each for each in heard)


def test_slow_connections_that_are_cut_off_are_no_burden_and_no_measurement(monkeypatch):
    made = []
    dribble = sidecar_slow.Dribble
    monkeypatch.setattr(
        sidecar_slow, "Dribble", lambda *told: made.append(dribble(*told)) or made[0]
    )
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        with (
            pytest.raises(CannotMeasure, match="of 2 slow connections were cut off"),
            sidecar_slow.dribbling(url, 2, 0.01),
        ):
            for _ in range(2):
                listener.accept()[0].close()
            while not made[0].cut:
                os.sched_yield()


def test_what_wrk_says_is_read():
    assert wrk.read(SAID) == wrk.Load(29324, 2.0, 0)
    assert wrk.read(SAID).per_s == pytest.approx(14662)


@pytest.mark.parametrize(
    "line, failed",
    [
        ("  Non-2xx or 3xx responses: 12", 12),
        ("  Socket errors: connect 1, read 2, write 3, timeout 4", 10),
    ],
)
def test_errors_that_wrk_counted_are_failures(line, failed):
    assert wrk.read(SAID + line).failed == failed


def test_wrk_that_measured_nothing_is_no_zero():
    with pytest.raises(CannotMeasure, match="unable to connect"):
        wrk.read("unable to connect to 127.0.0.1:1 Connection refused")


def test_without_wrk_it_is_said_how_to_get_it(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(CannotMeasure, match="apt install wrk"):
        wrk.require_wrk()


def test_paced_requests_are_all_answered_and_timed(bodies):
    took_s = paced.ask(f"http://127.0.0.1:{bodies}/200", {"Host": "x"}, 200, 4, 0.25)
    assert len(took_s) == 50
    assert all(0 < each < paced.PATIENCE_S for each in took_s)


def test_a_paced_request_that_is_refused_is_no_answer():
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def refuse() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 503 Unavailable\r\nContent-Length: 0\r\n\r\n")

        threading.Thread(target=refuse, daemon=True).start()
        with pytest.raises(CannotMeasure, match="503"):
            paced.ask(f"http://127.0.0.1:{listener.getsockname()[1]}/", {}, 100, 1, 0.1)


@pytest.mark.parametrize("way", sidecar_bodies.WAYS)
def test_bodies_are_moved_whole_one_after_another(bodies, way):
    sides = {OURS: Side(f"http://127.0.0.1:{bodies}/")}
    speed = sidecar_bodies.turn(sides, way, 3_000_001, 3)
    assert speed[OURS] > 0


@pytest.mark.skipif(not PROC.exists(), reason="there is no /proc here")
def test_what_a_process_costs_is_read_from_proc():
    grow = "import sys; sys.stdin.readline(); x = bytearray(50_000_000); print('grown', flush=True)"
    program = [sys.executable, "-c", f"{grow}; sys.stdin.readline()"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(program, start_new_session=True, **pipes) as process:
        try:
            while resident_bytes(process.pid) < 1_000_000:  # it is still starting
                os.sched_yield()
            peak = Peak([process.pid])
            process.stdin.write(b"now\n")
            process.stdin.flush()
            assert process.stdout.readline() == b"grown\n"
            assert peak.growth_bytes() > 40_000_000
            assert cpu_s(process.pid) > 0
        finally:
            process.kill()
