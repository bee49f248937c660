"""Callers and servers for `call_cost`: each a process, asked for blocks of calls in turns."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import chain

import jwt
import requests

from lab.measure.asker import Asker, Calls
from lab.measure.processes import Processes

SERVER = "lab.measure.standins.server"
TOKEN_S = 3600
PATIENCE_S = 10.0

Block = Callable[[int], Calls]  # how many calls -> what they took


@dataclass(frozen=True)
class Cost:
    """One round of one side: what each call took, and its mean CPU where the stack is."""

    took_ms: Sequence[float]
    cpu_us: float


class Sides:
    """Starts callers and servers; leaving the `with` block ends them."""

    def __init__(self) -> None:
        self._ends = ExitStack()
        self._processes = self._ends.enter_context(Processes())
        self._secret = self._processes.folder / "secret"
        self._secret.touch(mode=0o600)
        self._secret.write_text(secrets.token_hex(32))

    def server(self, name: str, how: str, traced: bool = False) -> str:
        """Start a server as `standins/server.py` says; its URL. Raises CannotMeasure."""
        options = (how, "--listen", "http://127.0.0.1:0", "--secret", str(self._secret))
        environment = self._tracing() if traced else {}
        return self._processes.start(name, SERVER, *options, environment=environment).address

    def caller(self, how: str, url: str, traced: bool = False) -> Block:
        """Start a caller as `standins/caller.py` says; what it costs is its own CPU."""
        options = (how, "--url", url, "--secret", str(self._secret), "--token", self._token())
        asker = Asker(options, self._tracing() if traced else {})
        return self._ends.enter_context(asker).call

    def server_of(self, caller: Block, url: str) -> Block:
        """The same calls; what they cost is the server's CPU."""

        def block(count: int) -> Calls:
            before_s = _cpu_s(url)
            calls = caller(count)
            return Calls(calls.took_s, _cpu_s(url) - before_s)

        return block

    def _token(self) -> str:
        now = int(time.time())
        claims = {"sub": "orders", "aud": "inventory", "iat": now, "exp": now + TOKEN_S}
        return jwt.encode(claims, self._secret.read_bytes(), "HS256")

    def _tracing(self) -> Mapping[str, str]:
        return {"ERAS_TRACE": str(self._processes.folder)}

    def __enter__(self) -> Sides:
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.close()


def take_turns(sides: Mapping[str, Block], blocks: int, block_calls: int) -> dict[str, Cost]:
    """One round: so many blocks of every side, in turn."""
    taken: dict[str, list[Calls]] = {name: [] for name in sides}
    for _ in range(blocks):
        for name, block in sides.items():
            taken[name].append(block(block_calls))
    return {name: cost(calls) for name, calls in taken.items()}


def cost(blocks: Sequence[Calls]) -> Cost:
    """What some blocks of one side come to."""
    took_s = list(chain.from_iterable(block.took_s for block in blocks))
    cpu_s = sum(block.cpu_s for block in blocks)
    return Cost([1000 * each for each in took_s], 1e6 * cpu_s / len(took_s))


def _cpu_s(url: str) -> float:
    return float(requests.get(f"{url}/cpu", timeout=PATIENCE_S).json()["cpu_s"])
