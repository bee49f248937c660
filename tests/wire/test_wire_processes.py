"""The wire as a process: it starts, obeys, and is gone afterwards however the run ends."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from lab.wire import KnobError, Knobs
from lab.wire.console import WireError
from lab.wire.process import WireProcess

ROOT = Path(__file__).parents[2]
TIMEOUT_S = 10
PERFECT = Knobs()

# A program that opens a wire, tells its processes, and then hangs until it is killed.
OPEN_AND_HANG = """
import threading
from lab.wire import Knobs
from lab.wire.namespaces import available
from lab.wire.process import WireProcess

def hang():
    real = {form!r} == "real"
    start = getattr(WireProcess, {form!r})
    with start(Knobs(), seed=1) as wire:
        print(wire.pid, *(host.pid for host in wire.hosts), flush=True)
        threading.Event().wait()

{how}
"""
DIRECTLY = "hang()"
IN_A_THREAD = "threading.Thread(target=hang).start()"


def is_alive(pid):
    try:
        return "zombie" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def wait_until(condition, timeout_s=TIMEOUT_S):
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def datagram_pair(wire):
    """Orders' socket, connected to the wire, and inventory's behind it."""
    inventory = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    inventory.bind(("127.0.0.1", 0))
    wire.forward_to(f"udp://127.0.0.1:{inventory.getsockname()[1]}")
    return orders_socket(wire), inventory


def orders_socket(wire):
    orders = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    host, _, port = wire.address_for_orders.removeprefix("udp://").partition(":")
    orders.connect((host, int(port)))
    orders.settimeout(TIMEOUT_S)
    return orders


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize("how", [DIRECTLY, IN_A_THREAD], ids=["main thread", "other thread"])
@pytest.mark.parametrize("form", ["portable", "streams", pytest.param("real", marks=[])])
def test_nothing_is_left_when_the_parent_is_killed(form, how, real_interfaces):
    if form == "real":
        real_interfaces()
    program = OPEN_AND_HANG.format(form=form, how=how)
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as parent:
        pids = parent.stdout.readline().split()
        assert pids
        assert all(map(is_alive, pids))
        parent.kill()
    wait_until(lambda: not any(map(is_alive, pids)))


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_nothing_is_left_after_ctrl_c():
    program = OPEN_AND_HANG.format(form="portable", how=DIRECTLY)
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    ) as parent:
        pids = parent.stdout.readline().split()
        parent.send_signal(signal.SIGINT)
        _, complaint = parent.communicate(timeout=TIMEOUT_S)
    assert complaint.count("KeyboardInterrupt") == 1, "the wire itself is not interrupted"
    assert not any(map(is_alive, pids))


def test_a_wire_that_was_killed_says_so_and_can_still_be_closed():
    with WireProcess.portable(PERFECT, seed=1) as wire:
        os.kill(wire.pid, signal.SIGKILL)
        with pytest.raises(WireError, match="has ended"):
            for _ in range(100):
                wire.stats()
        wire.close()


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_an_idle_wire_uses_no_processor_time():
    def ticks(pid):
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        switches = Path(f"/proc/{pid}/status").read_text().split("voluntary_ctxt_switches:")[1]
        return int(fields[11]) + int(fields[12]), int(switches.split()[0])

    with WireProcess.portable(PERFECT, seed=1) as wire:
        wire.stats()

        def slept_through():
            before = ticks(wire.pid)
            time.sleep(0.2)  # the claim is about time passing
            return ticks(wire.pid) == before

        # The first time it may still be on its way back from answering.
        assert slept_through() or slept_through()


def test_threads_may_share_a_wire():
    with WireProcess.portable(PERFECT, seed=1) as wire:
        failures = []

        def turn(n):
            with contextlib.suppress(KnobError):
                wire.set(loss=2.0)
            wire.set("there", delay_s=n / 1000)
            failures.extend(name for name in wire.stats() if name not in ("there", "back"))

        threads = [threading.Thread(target=turn, args=(n,)) for n in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(TIMEOUT_S)
        assert not failures


def test_each_client_of_the_portable_wire_gets_its_own_answers():
    with WireProcess.portable(PERFECT, seed=1) as wire:
        orders, inventory = datagram_pair(wire)
        others = [orders, *(orders_socket(wire) for _ in range(5))]
        for n, client in enumerate(others):
            client.send(b"%d" % n)
        for _ in others:
            question, asker = inventory.recvfrom(100)
            inventory.sendto(b"answer to " + question, asker)
        for n, client in enumerate(others):
            assert client.recv(100) == b"answer to %d" % n


def test_more_clients_than_the_relay_remembers_do_not_exhaust_it():
    with WireProcess.portable(PERFECT, seed=1) as wire:
        orders, inventory = datagram_pair(wire)
        orders.close()
        for n in range(400):
            with orders_socket(wire) as client:
                client.send(b"%d" % n)
                question, asker = inventory.recvfrom(100)
                inventory.sendto(question, asker)
                assert client.recv(100) == b"%d" % n


def test_a_stranger_cannot_speak_for_inventory():
    with WireProcess.portable(PERFECT, seed=1) as wire:
        orders, inventory = datagram_pair(wire)
        orders.send(b"question")
        _, asker = inventory.recvfrom(100)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            stranger.sendto(b"lie", asker)
        inventory.sendto(b"truth", asker)
        assert orders.recv(100) == b"truth"


def test_inventory_may_be_called_by_its_name():
    with WireProcess.portable(PERFECT, seed=1) as wire:
        orders, inventory = datagram_pair(wire)
        wire.forward_to(f"udp://localhost:{inventory.getsockname()[1]}")
        orders.send(b"question")
        _, asker = inventory.recvfrom(100)
        inventory.sendto(b"answer", asker)
        assert orders.recv(100) == b"answer"


def test_the_first_frame_after_inventory_came_back_is_not_lost():
    """A connected socket would swallow it to report the ICMP error of an earlier one."""
    with WireProcess.portable(PERFECT, seed=1) as wire:
        orders, inventory = datagram_pair(wire)
        address = inventory.getsockname()
        inventory.close()
        for _ in range(3):
            orders.send(b"nobody there")
        wait_until(lambda: wire.stats()["there"]["sent"] == 3)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as back_again:
            back_again.bind(address)
            back_again.settimeout(TIMEOUT_S)
            orders.send(b"hello")
            assert back_again.recv(100) == b"hello"


def test_before_inventory_is_named_frames_are_undeliverable_and_counted():
    with WireProcess.portable(PERFECT, seed=1) as wire:
        orders_socket(wire).send(b"anyone?")
        wait_until(lambda: wire.stats()["there"]["undeliverable"] == 1)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["portable", "--knobs", '{"loss": 2}'], "loss is 2; accepted: a probability"),
        (["portable", "--knobs", "much"], "knobs are 'much'; accepted: an object of loss"),
        (["portable", "--knobs", '{"los": 1}'], "knob is 'los'; accepted: loss, duplicate"),
        (["portable", "--inventory", "tcp://a:1"], "'tcp://a:1'; accepted: udp://HOST:PORT"),
        (["portable", "--inventory", "udp://a:x"], "'udp://a:x'; accepted: udp://HOST:PORT"),
        (["portable", "--inventory", "udp://[a:1"], "'udp://[a:1'; accepted: udp://HOST:PORT"),
        (["portable", "--inventory", "udp://a..b:1"], "'a..b'"),
        (["portable", "--trace", "/no/where/t.jsonl"], "/no/where/t.jsonl"),
        (["real"], "form real needs --tun-fds"),
    ],
)
def test_a_bad_command_line_is_one_clear_sentence(arguments, complaint):
    run = subprocess.run(
        [sys.executable, "-m", "lab.wire", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=TIMEOUT_S,
    )
    assert run.returncode == 2
    assert complaint in run.stderr
    assert "Traceback" not in run.stderr


@pytest.mark.parametrize(
    "command", ["", "[]", '{"do": "dance"}', "{", '{"do": "set", "knobs": 7}', '{"do": "forward"}']
)
def test_a_bad_command_is_refused_and_the_wire_goes_on(command):
    run = subprocess.run(
        [sys.executable, "-m", "lab.wire", "portable"],
        input=f'{command}\n{{"do": "stats"}}\n',
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=TIMEOUT_S,
    )
    ready, refused, stats = map(json.loads, run.stdout.splitlines())
    assert ready["ready"] == "portable"
    assert "accepted" in refused["error"]
    assert stats["ok"]["there"]["sent"] == 0
