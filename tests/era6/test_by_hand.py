"""What the README says to type, typed: on other ports, in another folder."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.find import ROOT, child_environment
from tests.ports import free_port

README = ROOT / "era6_control_plane" / "README.md"
SHOP = "/tmp/shop"  # noqa: S108, a word of the README that is replaced
LONG = ("pilot", "agent", "sidecar", "orders", "inventory")  # roles that run until they are ended
WITHIN_S, LOOK_S = 30.0, 0.05


def commands() -> list[str]:
    """The lines that are to be typed, whole."""
    block = README.read_text().partition("## Run it")[2].partition("\nThen want")[0]
    typed = "\n".join(line[4:] for line in block.splitlines() if line.startswith("    "))
    return typed.replace("\\\n", " ").splitlines()


class Hand:
    """Types; what runs on is ended with it."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="shop-"))  # short: sockets lie in it
        self._ports: dict[str, str] = {}
        self._running: list[subprocess.Popen[str]] = []
        self._environment = child_environment()

    def type(self, line: str) -> str:
        """What came of it; nothing of what runs on."""
        if line.startswith("export "):
            told = dict(word.split("=", 1) for word in self._moved(line).split()[1:])
            self._environment |= told
            return ""
        here = {"python": sys.executable, "eras": f"{sys.executable} -m lab"}
        words = re.sub(r"\b(python|eras)\b(?= )", lambda found: here[found[1]], self._moved(line))
        role = re.search(r"-m era6_control_plane (\w+)", words)
        if role and role[1] in LONG:
            return self._begin(words)
        done = subprocess.run(
            ["sh", "-c", words],
            cwd=ROOT,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=WITHIN_S,
        )
        self._move_files()
        assert done.returncode == 0, f"{line}\n{done.stderr}"
        return done.stdout

    def end(self) -> None:
        for each in reversed(self._running):
            if each.poll() is None:
                os.killpg(each.pid, signal.SIGTERM)
        for each in reversed(self._running):
            each.wait(WITHIN_S)
        shutil.rmtree(self.folder)

    def _begin(self, words: str) -> str:
        log = self.folder / f"{len(self._running)}.log"
        with log.open("w") as out:
            begun = subprocess.Popen(
                ["sh", "-c", f"exec env {words}" if words.startswith("http") else f"exec {words}"],
                cwd=ROOT,
                env=self._environment,
                stdout=out,
                stderr=out,
                text=True,
                start_new_session=True,
            )
        self._running.append(begun)
        until = time.monotonic() + WITHIN_S
        while " ready at " not in log.read_text():
            assert begun.poll() is None and time.monotonic() < until, f"{words}\n{log.read_text()}"
            time.sleep(LOOK_S)
        return ""

    def _moved(self, text: str) -> str:
        def port(found: re.Match[str]) -> str:
            return self._ports.setdefault(found[0], str(free_port()))

        return re.sub(r"(?<=:)7[56]\d\d\b", port, text.replace(SHOP, str(self.folder)))

    def _move_files(self) -> None:
        for path in self.folder.glob("*.toml"):
            path.write_text(self._moved(path.read_text()))


@pytest.fixture
def hand() -> Iterator[Hand]:
    hand = Hand()
    yield hand
    hand.end()


def test_what_the_readme_says_to_type_makes_a_mesh_that_serves(hand):
    typed = commands()
    assert sum(" agent " in line or " sidecar " in line for line in typed) == 4
    *before, order, status = typed
    for line in before:
        if not line.startswith("mkdir"):
            hand.type(line)
        else:
            hand.type(line.partition("; ")[2])
    assert json.loads(hand.type(order))["outcome"] == "placed"
    told = hand.type(status)
    assert "2 nodes, 2 connected" in told, told
    hand.type(f"eras mesh apply {ROOT}/era6_control_plane/intents/by_weight.toml --wait 5")
