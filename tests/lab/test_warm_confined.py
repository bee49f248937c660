"""A warm role that lab/wire/confine.py would confine has the rights of a cold one, and no other."""

import json
import os
import subprocess
import sys

import pytest

from lab.find import ROOT, child_environment
from lab.launch import start_cold
from lab.warm import WarmStarts
from lab.wire.divert import confined, hosts_file, marking, wished
from lab.wire.namespaces import Host, available

pytestmark = pytest.mark.skipif(bool(available()), reason=f"form real: {available()}")

TELLS = """
import ctypes, json, os, sys
from pathlib import Path

if "again" in sys.argv:  # as a supervisor starts its proxy again
    os.execve(sys.executable, [sys.executable, "-m", "tells"], dict(os.environ))

def text(name):
    return Path("/proc/self", name).read_text()

rights = ("Cap", "NoNewPrivs", "Seccomp:", "Uid", "Gid", "Groups")
dumpable, death_signal = ctypes.CDLL(None).prctl(3), ctypes.c_int()
ctypes.CDLL(None).prctl(2, ctypes.byref(death_signal))
print(json.dumps({
    "is_warm": "flask" in sys.modules,
    "rights": [line for line in text("status").splitlines() if line.startswith(rights)],
    "user": [text(name) for name in ("uid_map", "gid_map", "setgroups")],
    "network": os.readlink("/proc/self/ns/net"),
    "spaces": {kind: os.readlink(f"/proc/self/ns/{kind}") for kind in ("mnt", "user")},
    "mounted": [line.split()[4] for line in text("mountinfo").splitlines()],
    "hosts": Path("/etc/hosts").read_text(),
    "found": sorted(str(path) for path in Path(os.environ["FOLDER"]).rglob("*")),
    "environment": dict(os.environ),
    "secret": [dumpable, death_signal.value],
    "files": sorted(os.listdir("/proc/self/fd"))[:-1],
}))
"""


@pytest.fixture(scope="module")
def host():
    with Host("10.7.0.9") as host:
        yield host


@pytest.fixture(scope="module")
def starts():
    starts = WarmStarts()
    yield starts
    starts.close()


@pytest.fixture
def told(tmp_path, host, starts):
    """What the program TELLS tells in the host, started warm and started cold."""
    (tmp_path / "package" / "tells").mkdir(parents=True)
    (tmp_path / "package" / "tells" / "__main__.py").write_text(TELLS)
    folder = tmp_path / "folder"
    (folder / "shown").mkdir(parents=True)
    (folder / "shown" / "socket").touch()
    (folder / "hidden").touch()
    environment = {
        **child_environment(),
        "PYTHONPATH": f"{tmp_path / 'package'}{os.pathsep}{ROOT}",
        "FOLDER": str(folder),
        "HTTP_PROXY": "http://here",
    }

    def _told(argv):
        tellers = [start(argv, environment, host) for start in (starts.start, start_cold)]
        return [json.loads(heard(teller)) for teller in tellers]

    return _told


def heard(process):
    with process.stdout:
        output = process.stdout.read()
    assert process.wait(10) == 0, output
    return output


@pytest.mark.parametrize("how", ["once", "again"])
@pytest.mark.parametrize("kind", ["service", "sidecar"])
def test_a_warm_role_is_confined_like_a_cold_one(told, tmp_path, host, kind, how):
    command = [sys.executable, "-m", "tells", how]
    folder = tmp_path / "folder"
    hidden = {"hide": [folder], "show": [folder / "shown"], "hosts": hosts_file(["inventory"])}
    warm, cold = told(confined(command, **hidden) if kind == "service" else marking(command))
    assert (warm.pop("is_warm"), cold.pop("is_warm")) == (True, False)
    theirs = {kind: os.readlink(f"/proc/{host.pid}/ns/{kind}") for kind in ("mnt", "user")}
    is_alone = kind == "service"
    for spaces in (warm.pop("spaces"), cold.pop("spaces")):
        assert [spaces[each] != theirs[each] for each in spaces] == [is_alone, is_alone]
    assert warm == cold
    assert len(warm["found"]) == (2 if is_alone else 3)
    assert ("HTTP_PROXY" in warm["environment"]) is not is_alone
    assert ("inventory" in warm["hosts"]) is is_alone


def test_what_cannot_be_confined_ends(host, starts, tmp_path):
    argv = confined([sys.executable, "-m", "this"], hide=[tmp_path / "nothing"])
    process = starts.start(argv, child_environment(), host)
    with process.stdout:
        assert b"No such file or directory" in process.stdout.read()
    assert process.wait(10) == 1
    assert not isinstance(process, subprocess.Popen)


def test_what_was_wished_is_found_again():
    assert wished(["nft", "-f"]) == (None, ["nft", "-f"])
    wish, command = wished(marking(["nft", "-f"]))
    assert (list(wish), command) == (["keep"], ["nft", "-f"])
