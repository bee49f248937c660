"""Hosts for real: commands inside them use raw packets and the kernel's own TCP over our wire."""

import contextlib
import hashlib
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from lab.wire import Knobs
from lab.wire.namespaces import Host, HostError, explain
from lab.wire.process import WireProcess

ROOT = Path(__file__).parents[2]
JOIN = str(ROOT / "lab" / "wire" / "join.py")
NOBODY = 65534
TIMEOUT_S = 20
PERFECT = Knobs()

pytestmark = pytest.mark.usefixtures("needs_real_interfaces")

RECEIVE_TCP = """
import hashlib, socket
with socket.create_server(("10.7.0.2", 7000)) as server:
    print("ready", flush=True)
    connection, _ = server.accept()
    digest = hashlib.sha256()
    while chunk := connection.recv(65536):
        digest.update(chunk)
    print(digest.hexdigest())
"""
SEND_TCP = """
import random, socket
with socket.socket() as connection:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, {congestion!r})
    connection.connect(("10.7.0.2", 7000))
    connection.sendall(random.Random(1).randbytes({size}))
"""
RAW_ECHO = """
import socket
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, 253)
print("ready", flush=True)
packet, (source, _) = raw.recvfrom(2000)
raw.sendto(packet[20:].upper(), (source, 0))
"""
RAW_ASK = """
import socket
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, 253)
raw.settimeout(10)
raw.sendto(b"hello", ("10.7.0.2", 0))
print(raw.recv(2000)[20:].decode())
"""


@pytest.fixture
def needs_real_interfaces(real_interfaces):
    real_interfaces()


@pytest.fixture
def host():
    with Host("10.7.0.1") as host:
        yield host


def run_inside(host, program, **options):
    return subprocess.run(
        [*host.argv_prefix(), sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=True,
        **options,
    ).stdout


def conversation(wire, listening, speaking):
    """Run one program inside inventory and, once it is ready, one inside orders."""
    with subprocess.Popen(
        [*wire.inventory.argv_prefix(), sys.executable, "-c", listening],
        stdout=subprocess.PIPE,
        text=True,
    ) as listener:
        try:
            assert listener.stdout.readline() == "ready\n"
            said = run_inside(wire.orders, speaking)
            heard, _ = listener.communicate(timeout=TIMEOUT_S)
        finally:
            listener.kill()
    return said.strip(), heard.strip()


def wait_until(condition):
    deadline = time.monotonic() + TIMEOUT_S
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def sha_of(size):
    import random

    return hashlib.sha256(random.Random(1).randbytes(size)).hexdigest()


@pytest.mark.parametrize("congestion", ["cubic", "reno"])
def test_the_kernels_tcp_crosses_a_bad_wire_and_every_byte_arrives(congestion, seed):
    knobs = Knobs(
        loss=0.02, duplicate=0.02, reorder=0.02, corrupt=0.01, delay_s=0.001, jitter_s=0.0005
    )
    send = SEND_TCP.format(size=300_000, congestion=congestion.encode())
    with WireProcess.real(knobs, seed=seed) as wire:
        _, sha = conversation(wire, RECEIVE_TCP, send)
        stats = wire.stats()["there"]
    assert sha == sha_of(300_000)
    for fault in ("lost", "duplicated", "reordered", "corrupted"):
        assert stats[fault] > 0
    assert stats["host_dropped"] == 0


def test_raw_ip_packets_need_no_root():
    with WireProcess.real(PERFECT, seed=1) as wire:
        answer, _ = conversation(wire, RAW_ECHO, RAW_ASK)
    assert answer == "HELLO"


def test_nothing_crosses_the_wire_unasked():
    """No IPv6 discovery, no ARP: frame numbers belong to those who are tested."""
    with WireProcess.real(PERFECT, seed=1) as wire:
        conversation(wire, RAW_ECHO, RAW_ASK)
        assert (wire.stats()["there"]["sent"], wire.stats()["back"]["sent"]) == (1, 1)


def test_two_wires_live_side_by_side_with_the_same_addresses():
    with WireProcess.real(PERFECT, seed=1) as one, WireProcess.real(PERFECT, seed=1) as two:
        for wire in (one, two):
            assert conversation(wire, RAW_ECHO, RAW_ASK)[0] == "HELLO"


def test_a_host_has_the_asked_interface_and_sysctls():
    sysctls = {"net.ipv4.tcp_congestion_control": "reno", "net.ipv4.tcp_rmem": "4096 50000 60000"}
    with Host("10.7.0.9", mtu_bytes=1280, queue_frames=77, sysctls=sysctls) as host:
        show = "from pathlib import Path; print(Path({!r}).read_text())"
        interface = "/sys/class/net/wire0/"
        net = "/proc/sys/net/ipv4/"
        assert run_inside(host, show.format(net + "tcp_congestion_control")).split() == ["reno"]
        rmem = run_inside(host, show.format(net + "tcp_rmem")).split()
        assert rmem == ["4096", "50000", "60000"]
        program = (
            "import fcntl, socket, struct; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM);"
            "ask = lambda what: struct.unpack_from('i', fcntl.ioctl("
            "s, what, struct.pack('16s24x', b'wire0')), 16)[0];"
            "print(ask(0x8921), ask(0x8942))"  # SIOCGIFMTU, SIOCGIFTXQLEN
        )
        assert run_inside(host, program).split() == ["1280", "77"], interface


def test_a_refused_sysctl_is_named():
    with pytest.raises(HostError, match="tcp_congestion_control = quantum"):
        Host("10.7.0.1", sysctls={"net.ipv4.tcp_congestion_control": "quantum"})
    with pytest.raises(HostError, match=r"sysctl no\.such\.thing"):
        Host("10.7.0.1", sysctls={"no.such.thing": "1"})


def prefixes(host, **options):
    """Both ways in: the system's tools where it has them, and ours."""
    ours = [sys.executable, "-I", "-S", JOIN, str(host.pid)]
    dies = ["--die-with-parent"] if options.get("die_with_parent") else []
    return [host.argv_prefix(**options), [*ours, *dies]]


@pytest.mark.parametrize("way", [0, 1], ids=["argv_prefix", "join"])
def test_a_command_inside_a_host_has_the_pid_it_was_started_with(host, way):
    program = "import os, time; print(os.getpid(), flush=True); time.sleep(60)"
    with subprocess.Popen(
        [*prefixes(host)[way], sys.executable, "-c", program], stdout=subprocess.PIPE, text=True
    ) as command:
        assert int(command.stdout.readline()) == command.pid
        command.kill()
        assert command.wait(TIMEOUT_S) == -signal.SIGKILL


@pytest.mark.parametrize("way", [0, 1], ids=["argv_prefix", "join"])
def test_a_command_inside_a_host_dies_with_its_parent(host, way):
    prefix = prefixes(host, die_with_parent=True)[way]
    parent = (
        "import subprocess, sys, time;"
        f"child = subprocess.Popen({prefix!r} + ['sleep', '60']);"
        "print(child.pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", parent], stdout=subprocess.PIPE, text=True
    ) as process:
        child = int(process.stdout.readline())
        name = Path(f"/proc/{child}/comm")
        wait_until(lambda: name.read_text() == "sleep\n")
        process.kill()
        wait_until(lambda: not name.exists() or "Z" in Path(f"/proc/{child}/stat").read_text())


def test_a_thread_that_ends_does_not_take_its_command_along(host):
    started = []

    def start():
        command = [*host.argv_prefix(), "sleep", "60"]
        started.append(subprocess.Popen(command))

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
    (command,) = started
    try:
        wait_until(lambda: Path(f"/proc/{command.pid}/comm").read_text() == "sleep\n")
        assert command.poll() is None
    finally:
        command.kill()
        command.wait()


def test_a_command_that_does_not_exist_is_named(host):
    run = subprocess.run(
        [*prefixes(host)[1], "no-such-command"], capture_output=True, text=True, timeout=TIMEOUT_S
    )
    assert run.returncode == 2
    assert "cannot start no-such-command" in run.stderr


def as_nobody(program):
    """Run a program as a user without rights, with the first Python that this user may run."""
    for python in (os.path.realpath(sys.executable), "/usr/bin/python3"):
        with contextlib.suppress(OSError):
            return subprocess.run(
                [python, "-c", program],
                capture_output=True,
                text=True,
                cwd=ROOT,
                user=NOBODY,
                group=NOBODY,
                extra_groups=[],
                timeout=TIMEOUT_S,
            )
    pytest.skip("nobody may not run any Python here")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become somebody else")
def test_an_ordinary_user_needs_no_rights_but_to_open_the_tun_device():
    program = (
        "import subprocess, sys; from lab.wire import Knobs;"
        "from lab.wire.process import WireProcess\n"
        "with WireProcess.real(Knobs(), seed=1) as wire:\n"
        "    speak = 'import socket; s = socket.socket(socket.AF_INET, socket.SOCK_RAW, 253);'"
        '            \'s.sendto(b"hi", ("10.7.0.2", 0))\'\n'
        "    inside = [*wire.orders.argv_prefix(), sys.executable, '-c']\n"
        "    subprocess.run([*inside, speak], check=True)\n"
        "    while not wire.stats()['there']['sent']: pass\n"
        "    print('crossed')\n"
    )
    run = as_nobody(program)
    if not os.stat("/dev/net/tun").st_mode & stat.S_IROTH:
        assert "/dev/net/tun cannot be opened (Permission denied): load" in run.stderr
        return
    if "HostError" in run.stderr:
        pytest.skip(run.stderr.splitlines()[-1])
    assert run.stdout == "crossed\n", run.stderr


@pytest.mark.parametrize(
    ("problem", "remedy"),
    [
        ({}, "portable form"),
        ({"errno": 2, "step": "/dev/net/tun", "why": "No such file"}, "modprobe tun"),
        ({"errno": 1, "step": "unshare", "why": "Operation not permitted"}, "forbidden here"),
        ({"errno": 28, "step": "unshare", "why": "No space left"}, "max_user_namespaces"),
        ({"errno": 16, "step": None, "why": "Busy: sysctl a = b"}, "sysctl a = b"),
    ],
)
def test_a_machine_that_cannot_says_why_and_how_to_mend_it(problem, remedy):
    assert remedy in explain(problem)
