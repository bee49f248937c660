"""The supervisor as a process, with a stand-in for the proxy: stand_in.py."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from era5_sidecar import config as sidecar_config
from era5_sidecar import supervisor_config
from tests.lab.processes import has_ended

ROOT = Path(__file__).parents[2]
STAND_IN = Path(__file__).with_name("stand_in.py")
SAMPLE = ROOT / "era5_sidecar" / "sidecar.toml"
PATIENCE_S = 10.0
START = """
import sys
from functools import partial
from pathlib import Path
from era5_sidecar import supervisor
ready = lambda url: print("sidecar ready at", url, flush=True)
supervisor.main(Path(sys.argv[1]), ready, [sys.executable, *sys.argv[2:]])
"""
FILE = """
service = "inventory"
instance = "inventory-1"
app = "unix:app.sock"
admin_listen = "http://127.0.0.1:0"
release = "{release}"
[inbound]
listen = "http://127.0.0.1:0"
settle_s = 0
drain_s = 0.2
[outbound]
listen = "http://127.0.0.1:0"
services = {{}}
[supervisor]
probe_every_s = 0.1
patience_s = {patience_s}
upgrade_s = {upgrade_s}
"""


class Sidecar:
    """One that runs, and what it says."""

    def __init__(self, process: subprocess.Popen, folder: Path, is_awaited: bool) -> None:
        self.process = process
        self.folder = folder
        name, *told = process.stdout.readline().split()
        assert name == "sidecar", self.told()
        self.urls = dict(each.split("=") for each in told[1:])
        self.ready = process.stdout.readline().strip() if is_awaited else ""

    def ask(self, name: str = "inbound") -> tuple[int, str, str]:
        """Who answers at this address, with which sockets, and which signals it got."""
        host, port = self.urls[name].removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=PATIENCE_S) as asked:
            asked.sendall(b"GET / HTTP/1.1\r\n\r\n")
            answer = asked.makefile("rb").read().decode()
        if not answer:
            raise ConnectionResetError("no answer")
        pid, sockets, signals = answer.partition("\r\n\r\n")[2].split(" ")
        return int(pid), sockets, signals

    def starts(self) -> list[str]:
        return (self.folder / "starts").read_text().splitlines()

    def count(self, what: str) -> int:
        """How often a stand-in has been `asked`, or has said that it lives: `breaths`."""
        path = self.folder / what
        return len(path.read_bytes()) if path.exists() else 0

    def feel(self, mood: str) -> None:
        (self.folder / "mood").write_text(mood)

    def told(self) -> str:
        """Everything on stderr."""
        return (self.folder / "stderr").read_text()


def configured(
    folder: Path, release: str = "", patience_s: float = 5, upgrade_s: float = 5
) -> Path:
    config = folder / "sidecar.toml"
    settings = {"release": release, "patience_s": patience_s, "upgrade_s": upgrade_s}
    config.write_text(FILE.format(**settings))
    return config


@contextmanager
def running(folder: Path, is_awaited: bool = True, **settings: float) -> Iterator[Sidecar]:
    config = configured(folder, **settings)
    argv = [sys.executable, "-c", START, str(config), str(STAND_IN), str(config)]
    with (folder / "stderr").open("w") as stderr:
        process = subprocess.Popen(
            argv,
            cwd=ROOT,
            text=True,
            stdout=subprocess.PIPE,
            stderr=stderr,
            start_new_session=True,
        )
    try:
        yield Sidecar(process, folder, is_awaited)
    finally:
        process.terminate()
        try:
            process.wait(PATIENCE_S)
        finally:
            kill_all(process)
            process.stdout.close()


def kill_all(process: subprocess.Popen) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def wait_until(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < until, "not in time"
        time.sleep(0.01)


class Customer(threading.Thread):
    """Asks without a pause; remembers who answered and what went wrong."""

    def __init__(self, sidecar: Sidecar) -> None:
        super().__init__()
        self.sidecar = sidecar
        self.answered: list[int] = []
        self.refused: list[OSError] = []
        self.lost: list[OSError] = []
        self.is_over = threading.Event()

    def run(self) -> None:
        while not self.is_over.is_set():
            try:
                self.answered.append(self.sidecar.ask()[0])
            except ConnectionRefusedError as error:
                self.refused.append(error)
            except OSError as error:
                self.lost.append(error)

    def __enter__(self) -> "Customer":
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.is_over.set()
        self.join(PATIENCE_S)


def test_it_says_where_it_listens_and_when_the_proxy_serves(tmp_path):
    with running(tmp_path) as sidecar:
        assert list(sidecar.urls) == ["inbound", "outbound", "admin"]
        assert sidecar.ready == f"sidecar ready at {sidecar.urls['inbound']}"
        pids = {sidecar.ask(name)[0] for name in sidecar.urls}
        assert len(pids) == 1
        assert sidecar.ask()[1] == "admin,inbound,outbound"
        assert os.getpgid(pids.pop()) == os.getpgid(sidecar.process.pid)


def test_a_killed_proxy_is_replaced_at_the_same_sockets_and_nobody_is_refused(tmp_path):
    with running(tmp_path) as sidecar, Customer(sidecar) as customer:
        for number in range(3):
            wait_until(lambda: bool(customer.answered))
            victim = customer.answered[-1]
            os.kill(victim, signal.SIGKILL)
            wait_until(lambda victim=victim: customer.answered[-1] != victim)
            assert len(sidecar.starts()) == number + 2
    assert not customer.refused
    assert len(customer.lost) <= 3  # those that the killed ones held


def test_a_proxy_that_freezes_is_ended_and_replaced(tmp_path):
    with running(tmp_path, patience_s=0.5) as sidecar:
        frozen = sidecar.ask()[0]
        wait_until(lambda: sidecar.ask("admin")[0] == frozen)
        os.kill(frozen, signal.SIGSTOP)
        assert sidecar.ask()[0] != frozen  # it waited in the queue of the socket
        assert len(sidecar.starts()) == 2
    assert "the proxy has said nothing for 0.5 s: it is ended" in sidecar.told()


def test_a_proxy_that_lives_is_left_alone(tmp_path):
    with running(tmp_path, patience_s=0.3) as sidecar:
        wait_until(lambda: sidecar.count("asked") > 6)  # after 3 without an answer it would end
        assert len(sidecar.starts()) == 1


def test_a_proxy_that_takes_no_connection_but_says_that_it_lives_is_left_alone(tmp_path):
    (tmp_path / "mood").write_text("deaf")
    with running(tmp_path, patience_s=0.3, upgrade_s=0.5) as sidecar:
        wait_until(lambda: sidecar.count("breaths") > 40)  # of 20 ms: longer than it may be silent
        assert len(sidecar.starts()) == 1


def test_an_upgrade_loses_no_request_and_the_new_one_runs_the_release(tmp_path):
    with running(tmp_path) as sidecar, Customer(sidecar) as customer:
        wait_until(lambda: bool(customer.answered))
        old = customer.answered[-1]
        ending = os.pidfd_open(old)
        configured(tmp_path, release="two")
        sidecar.process.send_signal(signal.SIGUSR2)
        assert has_ended(ending)
        wait_until(lambda: customer.answered[-1] != old)
    assert not customer.refused
    assert not customer.lost
    first, second = sidecar.starts()
    assert str(tmp_path / "two") not in first
    assert second.split()[1].split(os.pathsep)[:2] == [str(tmp_path / "two"), str(ROOT)]
    assert "upgraded: the new proxy has taken over, the old one drains" in sidecar.told()


def test_an_upgraded_proxy_that_dies_comes_back_in_the_same_release(tmp_path):
    with running(tmp_path) as sidecar:
        old = sidecar.ask()[0]
        configured(tmp_path, release="two")
        sidecar.process.send_signal(signal.SIGUSR2)
        wait_until(lambda: sidecar.ask()[0] != old)
        configured(tmp_path, release="three")
        os.kill(int(sidecar.starts()[1].split()[0]), signal.SIGKILL)
        wait_until(lambda: len(sidecar.starts()) == 3)
    assert [str(tmp_path / "two") in start for start in sidecar.starts()] == [False, True, True]


@pytest.mark.parametrize(
    ("mood", "told"),
    [("never-ready", "was not ready within 0.5 s"), ("die-2", "ended with exit code 2")],
)
def test_a_version_that_does_not_get_ready_leaves_the_old_one_in_place(tmp_path, mood, told):
    with running(tmp_path, upgrade_s=0.5) as sidecar:
        old = sidecar.ask("admin")[0]
        sidecar.feel(mood)
        sidecar.process.send_signal(signal.SIGUSR2)
        wait_until(lambda: len(sidecar.starts()) == 2)
        said = f"no upgrade: the new proxy {told}; the old one stays\n"
        wait_until(lambda: said in sidecar.told())
        assert sidecar.ask()[0] == old


def test_an_upgrade_to_a_file_that_is_wrong_is_refused_with_its_line(tmp_path):
    with running(tmp_path) as sidecar:
        old = sidecar.ask()[0]
        config = configured(tmp_path, patience_s=0)
        sidecar.feel("die-2")  # as the proxy does with such a file
        sidecar.process.send_signal(signal.SIGUSR2)
        wait_until(lambda: "no upgrade" in sidecar.told())
        assert sidecar.ask()[0] == old
        config.unlink()
        sidecar.process.send_signal(signal.SIGUSR2)
        wait_until(lambda: len(sidecar.starts()) == 3)
        assert sidecar.ask()[0] == old
    assert "sidecar: refused: " in sidecar.told()


def test_a_reload_is_passed_on(tmp_path):
    with running(tmp_path) as sidecar:
        sidecar.process.send_signal(signal.SIGHUP)
        wait_until(lambda: sidecar.ask()[2] == "SIGHUP")
        assert len(sidecar.starts()) == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_told_to_stop_it_ends_its_proxy_and_then_itself(tmp_path, number):
    with running(tmp_path) as sidecar:
        ending = os.pidfd_open(sidecar.ask()[0])
        sidecar.process.send_signal(number)
        assert sidecar.process.wait(PATIENCE_S) == 0
        assert has_ended(ending, 0)


def test_a_proxy_that_does_not_stop_is_ended(tmp_path):
    with running(tmp_path) as sidecar:
        stuck = sidecar.ask()[0]
        ending = os.pidfd_open(stuck)
        os.kill(stuck, signal.SIGSTOP)
        sidecar.process.send_signal(signal.SIGTERM)
        assert sidecar.process.wait(PATIENCE_S) == 0
        assert has_ended(ending, 0)


def test_a_proxy_whose_supervisor_was_killed_ends_too(tmp_path):
    with running(tmp_path) as sidecar:
        ending = os.pidfd_open(sidecar.ask()[0])
        sidecar.process.kill()
        assert has_ended(ending)


def test_what_cannot_start_ends_the_supervisor_with_the_same_code(tmp_path):
    (tmp_path / "mood").write_text("die-2")
    config = configured(tmp_path)
    argv = [sys.executable, "-c", START, str(config), str(STAND_IN), str(config)]
    ended = subprocess.run(argv, cwd=ROOT, timeout=PATIENCE_S, check=False)
    assert ended.returncode == 2
    assert len((tmp_path / "starts").read_text().splitlines()) == 1


def test_an_address_that_is_taken_is_named(tmp_path):
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        config = tmp_path / "sidecar.toml"
        text = SAMPLE.read_text().replace('listen = "http://127.0.0.1:0"', f'listen = "{url}"', 1)
        config.write_text(text)
        argv = [sys.executable, "-c", START, str(config), str(STAND_IN), str(config)]
        ended = subprocess.run(argv, cwd=ROOT, timeout=PATIENCE_S, check=False, capture_output=True)
    assert f"address '{url}': Address already in use; accepted: an address" in ended.stderr.decode()


def test_a_command_that_cannot_be_executed_is_named():
    script = """
import os, socket
from era5_sidecar.launching import launch
with socket.socket() as listener:
    _, status = os.waitpid(launch(["/no/such/python"], {"inbound": listener}, listener, "", {}), 0)
print(os.waitstatus_to_exitcode(status))
"""
    argv = [sys.executable, "-c", script]
    ended = subprocess.run(argv, cwd=ROOT, check=True, capture_output=True, text=True)
    assert ended.stdout == "126\n"
    assert ended.stderr == "sidecar: cannot start /no/such/python: No such file or directory\n"


def test_a_supervisor_that_nobody_reads_lives_on(tmp_path):
    (tmp_path / "mood").write_text("die-1")
    with running(tmp_path, is_awaited=False) as sidecar:
        sidecar.process.stdout.close()
        sidecar.feel("")
        assert sidecar.ask()[0]
        assert sidecar.process.poll() is None


# What it reads of the file.


@pytest.mark.parametrize("said", ["", "settle_s = 7\ndrain_s = 8"])
def test_it_reads_what_the_proxy_reads(tmp_path, said):
    config = tmp_path / "sidecar.toml"
    config.write_text(
        'service = "a"\ninstance = "a-1"\napp = "unix:a"\nadmin_listen = "http://127.0.0.1:1"\n'
        f'release = "two"\n[inbound]\nlisten = "http://127.0.0.1:2"\n{said}\n'
    )
    told, whole = supervisor_config.read(config), sidecar_config.read(config)
    assert told.limits._asdict() == {
        "probe_every_s": whole.supervisor.probe_every_s,
        "patience_s": whole.supervisor.patience_s,
        "upgrade_s": whole.supervisor.upgrade_s,
        "settle_s": whole.inbound.settle_s,
        "drain_s": whole.inbound.drain_s,
    }
    assert told.release == whole.release
    assert told.listens == {"inbound": whole.inbound.listen, "admin": whole.admin_listen}


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ("", "line 1: service is missing"),
        ("= 3", "line 1: '= 3' is no TOML"),
        ('[inbound]\nlisten = "x"', "line 1: service is missing"),
    ],
)
def test_what_it_cannot_use_is_refused_with_the_line(tmp_path, wrong, told):
    config = tmp_path / "sidecar.toml"
    config.write_text(wrong)
    with pytest.raises(ValueError, match="sidecar") as refusal:
        supervisor_config.read(config)
    assert told in str(refusal.value)


def test_it_imports_next_to_nothing():
    heavy = {"asyncio", "ssl", "dataclasses", "era4_framework", "era5_sidecar.config", "subprocess"}
    listed = "import sys, era5_sidecar.supervisor; print(*sys.modules)"
    argv = [sys.executable, "-c", listed]
    modules = subprocess.run(argv, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    assert not heavy & {*modules.split()}
