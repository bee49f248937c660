"""What was imported before the fork counts only while it is what Python would import."""

import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lab import warm, zygote
from lab.find import ROOT
from lab.own_modules import OwnModules

LONG_AGO_NS = 10**18
PART = "VALUE = 1\nKNOWN = {'a': 1}\nASKED = ['b']\ndef value(): return VALUE\n"


@pytest.fixture
def root(tmp_path, monkeypatch):
    """The folder of a package `our_own` with a module `part`; forgotten afterwards."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    write(tmp_path / "our_own" / "__init__.py", "")
    write(tmp_path / "our_own" / "part.py", PART)
    yield tmp_path
    for name in [name for name in sys.modules if name.partition(".")[0] == "our_own"]:
        del sys.modules[name]


def write(path: Path, text: str) -> None:
    """Long ago, as a file that is written while it is imported is not trusted."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    os.utime(path, ns=(LONG_AGO_NS, LONG_AGO_NS))


def imported(root: Path, *names: str) -> OwnModules:
    own = OwnModules(root, names or ["our_own.part"])
    sys.path.insert(0, str(root))
    return own


def keeps(own: OwnModules) -> bool:
    own.keep_if_current()
    importlib.invalidate_caches()
    return "our_own.part" in sys.modules


def test_what_is_as_it_was_read_is_kept(root):
    assert keeps(imported(root))


def test_what_was_changed_is_read_again(root):
    own = imported(root)
    write(root / "our_own" / "part.py", PART.replace("VALUE = 1", "VALUE = 234"))
    assert not keeps(own)
    assert importlib.import_module("our_own.part").VALUE == 234


def test_what_was_changed_while_it_was_imported_is_read_again(root):
    (root / "our_own" / "part.py").write_text("import pathlib; pathlib.Path(__file__).touch()\n")
    assert not keeps(imported(root))


def test_what_was_deleted_is_not_there(root):
    own = imported(root)
    (root / "our_own" / "part.py").unlink()
    assert not keeps(own)


def test_what_is_found_before_it_is_taken_instead(root):
    own = imported(root)
    write(root / "release" / "our_own" / "__init__.py", "")
    sys.path.insert(0, str(root / "release"))
    assert not keeps(own)
    assert str(root / "release") in importlib.import_module("our_own").__file__


def test_what_would_not_be_found_is_not_there(root):
    own = imported(root)
    sys.path.remove(str(root))
    assert not keeps(own)


def test_what_cannot_be_imported_takes_nothing_with_it(root):
    write(root / "our_own" / "half.py", "from our_own import part\nVALUE =\n")
    assert keeps(imported(root, "our_own.half", "our_own.part"))
    assert "our_own.half" not in sys.modules


def test_a_new_program_finds_modules_as_they_were_imported(root):
    own = imported(root)
    part = sys.modules["our_own.part"]
    part.VALUE, part.MORE = 2, 3
    part.KNOWN["c"] = part.ASKED.append("d")
    own.restore()
    assert (part.value(), part.KNOWN, part.ASKED) == (1, {"a": 1}, ["b"])
    assert not hasattr(part, "MORE")


def test_importing_our_own_begins_no_thread_and_reads_nothing_that_a_role_may_have_otherwise():
    """A fork takes only one thread with it; and each role has an environment of its own. What gRPC
    reads is as with Python's own: who has it otherwise starts cold."""
    before = ", ".join(zygote.LIBRARIES + zygote.STANDARD)
    program = f"""
import {before}, os, sys
from lab.own_modules import OwnModules, Path
seen = set()
read = type(os.environ).__getitem__
def see(environ, name):
    seen.add(name)
    return read(environ, name)
type(os.environ).__getitem__ = see
OwnModules(Path(sys.argv[1]), sys.argv[2:])
print(len(os.listdir("/proc/self/task")), "era5_sidecar.life" in sys.modules, *seen)
"""
    asked = [sys.executable, "-c", program, str(ROOT), *warm.own_modules()]
    threads, has_era5, *read = subprocess.check_output(asked, text=True, cwd=ROOT).split()
    assert (threads, has_era5) == ("1", "True")
    assert set(read) <= warm.interpreter_settings(dict.fromkeys(read, "")).keys()
