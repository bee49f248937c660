"""An era's roles on loopback, without a wire: started one by one, to be timed."""

from __future__ import annotations

import json
import secrets
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from urllib.parse import urlsplit

from lab import find
from lab.guard import Guard
from lab.launch import READY_S, Role, RoleFailed
from lab.measure import CannotMeasure

COUNTER_ROLES = ("inventory", "orders")
HTTP_ROLES = ("registry", "inventory", "orders")
NOBODY = "127.0.0.1:9"  # the discard port: orders must stand without an inventory, and so it does
LOOK_AGAIN_S = 0.005


class Cast:
    """The roles of one era that run. Leaving the `with` block ends them and removes their files."""

    def __init__(self, era: find.Era) -> None:
        self._era = era
        self._ends = ExitStack()
        self._folder = Path(
            self._ends.enter_context(tempfile.TemporaryDirectory(prefix="eras-measure-"))
        )
        self._secret = self._folder / "secret"
        self._secret.touch(mode=0o600)
        self._secret.write_text(secrets.token_hex(32))
        self._guard = Guard()
        self._ends.callback(self._guard.close)
        self.addresses: dict[str, str] = {}

    def start(self, role: str, name: str = "") -> float:
        """Start a role and return the seconds until its ready line; `name` is an instance's.

        Raises CannotMeasure with what it said if it does not get ready. Threads may share a cast.
        """
        name = name or role
        command = [sys.executable, "-m", self._era.package, role, *self._options(role, name)]
        started = Role(
            name,
            command,
            log=self._folder / f"{name}.log",
            guard=self._guard,
            environment=find.child_environment(),
        )
        self._ends.callback(started.kill)
        began = time.perf_counter()
        try:
            self.addresses[name] = started.start()
        except RoleFailed as failure:
            raise CannotMeasure(f"era {self._era.number}: {failure}") from failure
        return time.perf_counter() - began

    def start_whole(self, instances: int) -> float:
        """Start registry, orders and inventories; return the seconds until orders knows them all.

        The registry stands first, as the others must be told where it is; they start at once.
        """
        names = [f"inventory-{number}" for number in range(1, instances + 1)]
        began = time.perf_counter()
        self.start("registry")
        with ThreadPoolExecutor(instances + 1) as starters:
            starts = [starters.submit(self.start, "inventory", name) for name in names]
            starts.append(starters.submit(self.start, "orders"))
            for start in starts:
                start.result()
        while not set(names) <= set(_instances_known_at(self.addresses["orders"])):
            if time.perf_counter() - began > READY_S:
                raise CannotMeasure(f"orders did not come to know {', '.join(names)}")
            time.sleep(LOOK_AGAIN_S)
        return time.perf_counter() - began

    def _options(self, role: str, name: str) -> list[str]:
        listen = ["--listen", f"{self._era.schemes['portable']}://127.0.0.1:0"]
        store = ["--store", str(self._folder / f"{role}.sqlite")]
        if not speaks_http(self._era):
            nobody = f"{self._era.schemes['portable']}://{NOBODY}"
            towards = ["--inventory", nobody, "--counter", str(self._folder / "counter")]
            return [*(towards if role == "orders" else listen), *store]
        secret = ["--secret", str(self._secret)]
        if role == "registry":
            return [*listen, *secret]
        instance = ["--name", name] if role == "inventory" else []
        return [*instance, *listen, "--registry", self.addresses["registry"], *store, *secret]

    def __enter__(self) -> Cast:
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.close()


def speaks_http(era: find.Era) -> bool:
    """Whether the era is one of many processes that speak HTTP."""
    return "http" in era.schemes.values()


def roles(era: find.Era) -> tuple[str, ...]:
    """The roles of an era that are services, in the order in which they can be started."""
    return HTTP_ROLES if speaks_http(era) else COUNTER_ROLES


def _instances_known_at(orders_url: str) -> list[str]:
    """What orders answers at /ready; none while it does not answer."""
    connection = HTTPConnection(urlsplit(orders_url).netloc, timeout=1.0)
    try:
        connection.request("GET", "/ready")
        return list(json.loads(connection.getresponse().read()).get("instances", []))
    except (OSError, HTTPException, ValueError):
        return []
    finally:
        connection.close()
