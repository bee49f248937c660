"""A warm role is a process like a cold one, of which only the libraries were imported before."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lab import warm, zygote
from lab.find import ROOT, child_environment
from lab.guard import Guard
from lab.launch import Role, RoleFailed
from lab.stage import Stage
from lab.warm import WarmStarts
from lab.wire.namespaces import Host, available
from tests.lab.processes import FORMS, has_ended

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="without pidfd roles start cold")

SAYS = """
import os, random, signal, sys
print("path", *sys.path[:3])
print("folder", os.getcwd())
print("asked", *sys.argv[1:])
print("name", __name__, __package__)
print("seen", os.environ.get("SEEN"), "ERAS_WARM" in os.environ)
print("random", random.random())
print("flask", "flask" in sys.modules)
print("era", "era0_naive.shop" in sys.modules)
print("files", *sorted(os.listdir("/proc/self/fd"))[:-1], repr(sys.stdin.read()))
print("to stderr", file=sys.stderr)
signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(7))
print("said ready at http://here", flush=True)
while True:
    signal.pause()
"""


@pytest.fixture(scope="module")
def all_starts():
    all_starts = []
    yield all_starts
    for starts in all_starts:
        starts.close()


@pytest.fixture
def starts(all_starts):
    """The same for all tests, until one has killed its zygote: each costs a third of a second."""
    if not all_starts or not all_starts[-1]._is_usable:
        all_starts.append(WarmStarts())
    return all_starts[-1]


@pytest.fixture
def begin(tmp_path, starts):
    """Begins a role with this program; it has ended when the test has."""
    guard = Guard()
    begun = []

    def _begin(
        program: str = SAYS, *arguments: str, host: Host | None = None, **environment: str
    ) -> Role:
        folder = tmp_path / environment.get("PYTHONPATH", "package")
        (folder / "says").mkdir(parents=True, exist_ok=True)
        (folder / "says" / "__main__.py").write_text(program)
        named = {"PYTHONPATH": f"{folder}{os.pathsep}{ROOT}", "PYTHONSAFEPATH": "1"}
        role = Role(
            "says",
            [sys.executable, "-m", "says", *arguments],
            log=tmp_path / "log",
            guard=guard,
            environment={**child_environment(), **environment, **named},
            host=host,
            starts=starts.start,
        )
        begun.append(role)
        role.begin()
        return role

    yield _begin
    for role in begun:
        role.kill()
    guard.close()


def said(role: Role) -> dict[str, str]:
    """What the program SAYS said, by its first word."""
    return dict(line.partition(" ")[::2] for line in role.log.read_text().splitlines())


def parent(pid: int) -> int:
    return int(stat(pid)[1])


def state(pid: int) -> str:
    """As `ps` says: S sleeps, T was stopped, Z is a zombie."""
    return stat(pid)[0]


def stat(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()


def in_time(is_true: Callable[[], bool]) -> None:
    """Wait for what another process does; nobody but it can tell when it has."""
    until = time.monotonic() + 5
    while not is_true():
        assert time.monotonic() < until
        time.sleep(0.001)


def test_a_role_has_a_session_of_its_own_and_no_file_of_anybody_elses(begin, starts):
    first, second = begin(), begin()
    for role in (first, second):
        assert role.wait_ready() == "http://here"
        assert parent(role.pid) == starts.pid
        assert os.getpgid(role.pid) == os.getsid(role.pid) == role.pid
        assert said(role)["files"] == "0 1 2 ''"
    assert first.pid != second.pid


def test_a_role_is_told_what_python_m_would_tell_it(begin, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    role = begin(SAYS, "inventory", "--name", "x", SEEN="yes")
    role.wait_ready()
    told = said(role)
    assert told["path"].startswith(str(tmp_path / "package"))
    assert told["folder"] == str(tmp_path)
    assert told["asked"] == "inventory --name x"
    assert told["name"] == "__main__ says"
    assert told["seen"] == "yes False"
    assert (told["flask"], told["era"]) == ("True", "True"), "or it is not warm"
    assert told["to"] == "stderr"


def test_python_m_finds_the_same_places_first(begin):
    role = begin()
    role.wait_ready()
    cold = [sys.executable, "-c", "import sys; print(*sys.path[:3])"]
    environment = {**role._environment, "PYTHONSAFEPATH": "1"}
    assert said(role)["path"] == subprocess.check_output(cold, env=environment, text=True).strip()


def test_no_two_roles_have_the_same_chances(begin):
    chances = set()
    for _ in range(3):
        role = begin()
        role.wait_ready()
        chances.add(said(role)["random"])
    assert len(chances) == 3


def test_a_changed_module_is_read_again(begin):
    first = begin(SAYS)
    first.wait_ready()
    second = begin(SAYS.replace("http://here", "http://there"))
    assert second.wait_ready() == "http://there"


def test_a_later_release_is_found_first(begin, tmp_path):
    begin(SAYS).wait_ready()
    later = begin(SAYS.replace("http://here", "http://later"), PYTHONPATH="later")
    assert later.wait_ready() == "http://later"


def test_who_brings_a_release_of_an_era_has_nothing_of_this_one(begin, tmp_path):
    release = tmp_path / "release" / "era0_naive"
    release.mkdir(parents=True)
    (release / "__init__.py").touch()
    role = begin(PYTHONPATH="release")
    role.wait_ready()
    assert (said(role)["flask"], said(role)["era"]) == ("True", "False")


@pytest.mark.parametrize(
    ("program", "code"),
    [
        ("", 0),
        ("raise SystemExit(2)", 2),
        ("import sys; sys.exit('no such file')", 1),
        ("1 / 0", 1),
        ("import os; os._exit(5)", 5),
        ("import os; os.kill(os.getpid(), 9)", -9),
    ],
)
def test_a_role_that_ends_says_with_which_code(begin, program, code):
    role = begin(program)
    with pytest.raises(RoleFailed, match=f"says ended with exit code {code};"):
        role.wait_ready()


def test_sigterm_ends_a_role_as_it_likes(begin):
    role = begin()
    role.wait_ready()
    assert role.terminate() == 7


def test_a_killed_role_is_gone(begin):
    role = begin()
    role.wait_ready()
    pid = role.pid
    role.kill()
    assert not role.is_running
    with pytest.raises(RoleFailed, match="is not running"):
        role.pause()
    in_time(lambda: not Path(f"/proc/{pid}").exists())


def test_a_role_that_has_ended_keeps_its_number_until_somebody_asks(begin):
    """As a cold one does: or a signal to its group could reach a stranger's."""
    role = begin()
    role.wait_ready()
    end = os.pidfd_open(role.pid)
    os.kill(role.pid, signal.SIGKILL)
    assert has_ended(end)
    assert state(role.pid) == "Z"
    assert role._process.wait(5) == -signal.SIGKILL
    in_time(lambda: not Path(f"/proc/{role.pid}").exists())


def test_a_paused_role_stands_still_and_goes_on(begin):
    role = begin()
    role.wait_ready()
    role.pause()
    assert state(role.pid) == "T"
    role.resume()
    assert role.terminate() == 7


def test_when_the_zygote_has_died_its_roles_end_and_the_next_start_is_cold(begin, starts):
    before = begin()
    before.wait_ready()
    pid = before.pid
    end = os.pidfd_open(pid)
    os.kill(starts.pid, signal.SIGKILL)
    after = begin()
    after.wait_ready()
    assert parent(after.pid) == os.getpid()
    assert said(after)["flask"] == "False"
    assert before._process.wait(5) == -signal.SIGKILL
    assert has_ended(end)


@pytest.mark.parametrize("name", ["flask", "urllib3.py"])
def test_who_brings_a_library_of_its_own_gets_it(begin, tmp_path, name):
    folder = tmp_path / "own" / name
    folder.mkdir(parents=True)
    role = begin(PYTHONPATH="own")
    role.wait_ready()
    assert parent(role.pid) == os.getpid()


def test_what_python_reads_as_it_starts_needs_a_start(begin):
    role = begin(PYTHONHASHSEED="3")
    role.wait_ready()
    assert parent(role.pid) == os.getpid()


def test_another_program_starts_cold():
    starts = WarmStarts()
    process = starts.start([sys.executable, "-c", "print(1)"], os.environ)
    with process.stdout:
        assert process.stdout.read() == b"1\n"
    assert process.wait() == 0
    assert starts.pid is None, "nobody needed a zygote"


def test_importing_the_libraries_begins_no_thread():
    """A fork takes only one thread with it, and the locks that the others hold."""
    names = zygote.LIBRARIES + zygote.STANDARD
    program = f"import {', '.join(names)}, os; print(len(os.listdir('/proc/self/task')))"
    told = subprocess.check_output([sys.executable, "-c", program], text=True)
    assert told == "1\n"


def test_nothing_is_warm_unless_it_was_switched_on():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(warm, "_shared", None)
        process = warm.start([sys.executable, "-m", "this"], os.environ)
        assert isinstance(process, subprocess.Popen)
        process.communicate()


@pytest.mark.parametrize("end", ["KILL", "INT", "TERM", "raise"])
def test_neither_roles_nor_zygote_outlive_who_started_them(end, tmp_path):
    script = f"""
        import os, signal, sys
        from lab import warm
        from lab.stage import Stage
        warm.switch_on()
        with Stage("tests.lab.web_era", instances=2) as stage:
            stage.pause("inventory-2")
            print(warm._shared.pid, *map(stage.pid, stage.roles), flush=True)
            sys.stdin.readline()
            {"raise SystemExit" if end == "raise" else f"os.kill(os.getpid(), signal.SIG{end})"}
            signal.pause()
    """
    holder = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    pids = [int(pid) for pid in holder.stdout.readline().split()]
    assert len(pids) == 5
    assert {parent(pid) for pid in pids[1:]} == {pids[0]}
    watched = [os.pidfd_open(pid) for pid in pids]
    holder.communicate(b"\n", timeout=20)
    for process in watched:
        assert has_ended(process), f"{end}: a process is still there"


@pytest.mark.parametrize("form", FORMS)
def test_the_stages_of_this_suite_are_warm(form, pytestconfig):
    if pytestconfig.getoption("--cold"):
        pytest.skip("--cold")
    with Stage("tests.lab.web_era", form, instances=1) as stage:
        roles = {stage.pid(role) for role in stage.roles}
        assert {parent(pid) for pid in roles | {stage.wire.pid}} == {warm._shared.pid}


@pytest.mark.skipif(bool(available()), reason=f"form real: {available()}")
def test_a_role_in_a_host_has_its_network_and_is_no_secret(begin, starts):
    with Host("10.7.0.9") as host:
        role = begin(host=host)
        role.wait_ready()
        assert parent(role.pid) == starts.pid
        for kind in ("net", "user"):
            there, here = (os.readlink(f"/proc/{pid}/ns/{kind}") for pid in (host.pid, role.pid))
            assert there == here
        assert os.listdir(f"/proc/{role.pid}/fd"), "may be read, as of any process of ours"


@pytest.mark.skipif(bool(available()), reason=f"form real: {available()}")
def test_a_role_whose_host_is_gone_says_so(begin):
    with Host("10.7.0.9") as host:
        pass
    with pytest.raises(RoleFailed, match=r"exit code 1;(.|\n)*No such file"):
        begin(host=host).wait_ready()


STARTS_ANOTHER = """
import os, signal, sys
import era0_naive.shop
if "again" not in sys.argv:
    import shelve
    era0_naive.shop.CHANGED = True
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(7))
    closes, stays = os.pipe()
    os.set_inheritable(stays, True)
    os.environ["STAYS"] = str(stays)
    if not os.fork():
        environment = {**os.environ, **({"PYTHONPATH": os.environ["PYTHONPATH"] + ":/x"}
                                        if "cold" in sys.argv else {})}
        os.execve(sys.executable, [sys.executable, "-m", "says", "again", "more"], environment)
    os.wait()
else:
    files = set(map(int, os.listdir("/proc/self/fd")))  # one is the folder's own
    print("files", {0, 1, 2, int(os.environ["STAYS"])} < files and len(files) == 5)
    print("asked", *sys.argv[1:])
    print("sigterm", signal.getsignal(signal.SIGTERM) == signal.SIG_DFL)
    print("shelve", "shelve" in sys.modules)
    print("changed", hasattr(era0_naive.shop, "CHANGED"))
    print("flask", "flask" in sys.modules, flush=True)
    sys.exit("that was all")
"""


@pytest.mark.parametrize(("how", "warm_there"), [("warm", "True"), ("cold", "False")])
def test_a_role_that_executes_python_again_has_what_exec_leaves_it(begin, how, warm_there):
    role = begin(STARTS_ANOTHER, how)
    with pytest.raises(RoleFailed, match="that was all"):
        role.wait_ready()
    told = said(role)
    assert (told["files"], told["asked"], told["sigterm"]) == ("True", "again more", "True")
    assert (told["shelve"], told["changed"], told["flask"]) == ("False", "False", warm_there)
