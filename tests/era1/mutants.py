"""Planted defects: does anybody notice? Each is one changed place in the transport.

    python -m tests.era1.mutants        which of them the sweep or the model finds, and how fast

Every defect is planted in a copy of the package, and looked for by a process of its own: first by
the sweep, then, if that finds nothing, by the adversary of test_model.py.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
PACKAGE = "era1_raw_network"
PATIENCE_S = 60  # a search that hangs has found something too
SWEEP = """
from era1_raw_network.sweep import run
for seed in range({seeds}):
    history = run(seed)
    if history.broken:
        raise SystemExit(f"seed {{seed}}: {{history.broken}}")
"""
MODEL = """
import unittest
from hypothesis import Phase, settings, core
from tests.era1.test_model import TestAdversary
core.global_force_seed = 7
TestAdversary.settings = settings(  # found is enough: no need to shrink
    max_examples={examples}, stateful_step_count=50, deadline=None, database=None,
    phases=[Phase.generate],
)
result = unittest.TestResult()
unittest.defaultTestLoader.loadTestsFromTestCase(TestAdversary).run(result)
for _, trace in [*result.failures, *result.errors]:
    raise SystemExit(next(l for l in trace.splitlines() if "Error" in l or "Exception" in l))
"""


@dataclass(frozen=True)
class Mutant:
    """`old`, which stands exactly once in `file`, becomes `new`."""

    name: str
    file: str
    old: str
    new: str


MUTANTS = (
    Mutant("the checksum is not checked", "codec.py", "!= checksum:", "!= checksum and False:"),
    Mutant(
        "numbers are not unwrapped",
        "codec.py",
        "return expected + ((low - expected + _HALF) & _MASK) - _HALF",
        "return low",
    ),
    Mutant(
        "a second copy is delivered",
        "receiver.py",
        "if ahead < 0 or self.held >> ahead & 1:\n            return Fate.DUPLICATE\n        self.",
        "if ahead < 0:\n            return self._deliver(flags, payload)\n        self.",
    ),
    Mutant(
        "the run that a gap held back is one too short",
        "receiver.py",
        "(~self.held & (self.held + 1)).bit_length() - 1",
        "max(1, (~self.held & (self.held + 1)).bit_length() - 2)",
    ),
    Mutant(
        "a message begins with the last one's segments",
        "receiver.py",
        "self._parts, self._part_bytes = [], 0\n        elif",
        "self._part_bytes = 0\n        elif",
    ),
    Mutant(
        "the end counts before what is missing",
        "receiver.py",
        "self._held_segments[seq] = (flags, payload)",
        "self._held_segments[seq] = (flags, payload)\n"
        "        self.ended = self.ended or bool(flags & FIN)",
    ),
    Mutant(
        "the window has no edge",
        "receiver.py",
        "if seq >= self._edge:  # also",
        "if False:  # also",
    ),
    Mutant(
        "selective acknowledgements do not move along",
        "flight.py",
        "self._sacked = before >> advance",
        "self._sacked = before >> (advance - 1)",
    ),
    Mutant(
        "an older selective acknowledgement is read against the newer number",
        "flight.py",
        "sacked >>= -advance",
        "sacked >>= 0",
    ),
    Mutant(
        "a lost packet still counts as under way",
        "flight.py",
        "piece.in_flight = False\n        self.in_flight -= 1\n        self.resend.append(seq)",
        "piece.in_flight = False\n        self.resend.append(seq)",
    ),
    Mutant(
        "no timeout ever fires",
        "sender.py",
        "if self.probe_at is None or now < self.probe_at:",
        "if self.probe_at is None or now >= 0:",
    ),
    Mutant(
        "idle while something waits to be sent",
        "sender.py",
        "return self.flight.una == self.flight.next and not self.queue",
        "return self.flight.una == self.flight.next",
    ),
    Mutant(
        "a path for small packets only is not recognised",
        "sender.py",
        "if self.flight.large_lost >= BLACK_HOLE_LOSSES",
        "if self.flight.large_lost >= 10**9",
    ),
    Mutant(
        "a repeated SYN begins the stream anew",
        "connection.py",
        "        else:\n            self._challenge(now)\n\n    def _on_synack",
        "        else:\n            self.receiver = Receiver(segment.seq + 1, self._window)\n\n"
        "    def _on_synack",
    ),
    Mutant(
        "a reset ends TIME_WAIT",
        "connection.py",
        "if self.state is State.TIME_WAIT:  # all is said",
        "if False:  # all is said",
    ),
    Mutant(
        "nobody waits for stray copies",
        "states.py",
        "(State.FIN_WAIT_2, Event.FIN): State.TIME_WAIT",
        "(State.FIN_WAIT_2, Event.FIN): State.CLOSED",
    ),
    Mutant(
        "hanging up drops what was not sent yet",
        "connection.py",
        "        self._on(Event.CLOSE, now)\n        self.sender.finish()",
        "        self._on(Event.CLOSE, now)\n        self.sender.queue.clear()\n"
        "        self.sender.finish()",
    ),
    Mutant(
        "a SYNACK that was lost is never repeated",
        "connection.py",
        "self._opening.due_at = now  # our SYNACK was lost",
        "self._opening.due_at = None",
    ),
)


def plant(mutant: Mutant, directory: Path) -> None:
    """A copy of the package with the defect. Raises ValueError if there is no place for it."""
    source = REPOSITORY / PACKAGE
    shutil.copytree(source, directory / PACKAGE, ignore=shutil.ignore_patterns("__pycache__"))
    path = directory / PACKAGE / mutant.file
    text = path.read_text()
    if text.count(mutant.old) != 1:
        raise ValueError(
            f"{mutant.name}: {mutant.file} has {mutant.old!r} {text.count(mutant.old)} times; "
            "it must stand there once"
        )
    path.write_text(text.replace(mutant.old, mutant.new))


def hunt(mutant: Mutant | None, seeds: int = 120, examples: int = 300) -> tuple[str, str]:
    """(who found it, how it showed); ("", "") if nobody did. None: the package as it is."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        if mutant is not None:
            plant(mutant, directory)
        for hunter, program in (
            ("sweep", SWEEP.format(seeds=seeds)),
            ("model", MODEL.format(examples=examples)),
        ):
            if found := _symptom(program, directory):
                return hunter, found
    return "", ""


def _symptom(program: str, directory: Path) -> str:
    path = os.pathsep.join((str(directory), str(REPOSITORY)))
    command = [sys.executable, "-c", program]
    environment = {**os.environ, "PYTHONPATH": path}
    try:
        ran = subprocess.run(
            command,
            cwd=directory,
            env=environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
        )
    except subprocess.TimeoutExpired:
        return f"no end after {PATIENCE_S} s"
    return ran.stderr.strip().splitlines()[-1] if ran.returncode else ""


def hunt_all(mutants: tuple[Mutant, ...] = MUTANTS) -> dict[str, tuple[str, str]]:
    """What became of each: {name: (who found it, how it showed)}."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return dict(zip((m.name for m in mutants), pool.map(hunt, mutants), strict=True))


def main() -> int:
    began = time.monotonic()
    honest = hunt(None)
    print(f"the package as it is: {honest[1] or 'nothing to be found'}")
    survivors = 0
    for name, (hunter, symptom) in hunt_all().items():
        survivors += not hunter
        print(f"{hunter or 'SURVIVED':9}{name}: {symptom[:120]}")
    print(f"{len(MUTANTS)} planted, {survivors} survived, {time.monotonic() - began:.0f} s")
    return 1 if survivors or honest[1] else 0


if __name__ == "__main__":
    raise SystemExit(main())
