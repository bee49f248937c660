"""wrk: the load generator that is faster than what it asks. Its output, read."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass

from lab.measure import CannotMeasure

PATIENCE_S = 10.0  # beyond the time that it was told to run
HOW_TO_GET_IT = "not installed: wrk; `apt install wrk` or `brew install wrk` brings it"


@dataclass(frozen=True)
class Load:
    """What one run of wrk found."""

    requests: int
    seconds: float
    failed: int  # answers other than 2xx and 3xx, and connections that broke

    @property
    def per_s(self) -> float:
        return self.requests / self.seconds


def require_wrk() -> None:
    """Raise CannotMeasure, saying how to get it, if there is no wrk."""
    if not shutil.which("wrk"):
        raise CannotMeasure(HOW_TO_GET_IT)


def ask(url: str, connections: int, seconds: float, headers: Mapping[str, str]) -> Load:
    """Ask for `url` over so many keep-alive connections, each waiting for its answer.

    wrk counts whole seconds only; `seconds` is rounded up to one. Raises CannotMeasure if it fails
    or if any answer was an error: a refusal is cheaper than an answer and must not look like speed.
    """
    found = load(url, connections, seconds, headers)
    if found.failed or not found.requests:
        raise CannotMeasure(f"{found.failed} of {found.requests} requests to {url} failed")
    return found


def load(url: str, connections: int, seconds: float, headers: Mapping[str, str]) -> Load:
    """The same, failures and all. Raises CannotMeasure if wrk itself fails."""
    whole_s = max(1, round(seconds))
    told = [part for name, value in headers.items() for part in ("-H", f"{name}: {value}")]
    argv = ["wrk", "-t1", f"-c{connections}", f"-d{whole_s}s", *told, url]
    try:
        done = subprocess.run(
            argv,
            capture_output=True,
            text=True,
            check=False,
            timeout=whole_s + PATIENCE_S,
            start_new_session=True,  # Ctrl-C is for us alone, and run() ends whom it waits for
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CannotMeasure(f"wrk against {url}: {error}") from error
    return read(done.stdout, done.stderr)


def read(said: str, complained: str = "") -> Load:
    """What wrk printed. Raises CannotMeasure if it is no result."""
    found = re.search(r"(\d+) requests in ([\d.]+)(ms|s|m),", said)
    if not found:
        raise CannotMeasure(f"wrk said no result: {(said + complained)[-200:].strip()!r}")
    seconds = float(found[2]) * {"ms": 0.001, "s": 1.0, "m": 60.0}[found[3]]
    return Load(int(found[1]), seconds, _failed(said))


def _failed(said: str) -> int:
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", said)
    broken = re.search(r"connect (\d+), read (\d+), write (\d+), timeout (\d+)", said)
    return int(refused[1] if refused else 0) + sum(map(int, broken.groups() if broken else ()))
