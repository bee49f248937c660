"""An era's roles on loopback, without a wire: started to be timed."""

from __future__ import annotations

import json
import secrets
import time
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit

from lab.find import Era
from lab.launch import READY_S, Role
from lab.measure import CannotMeasure
from lab.measure.processes import Processes, wait_ready

COUNTER_ROLES = ("inventory", "orders")
HTTP_ROLES = ("registry", "inventory", "orders")
NOBODY = "127.0.0.1:9"  # the discard port: orders must stand without an inventory, and so it does
LOOK_AGAIN_S = 0.005


class Cast:
    """Starts the roles of one era among `processes`."""

    def __init__(self, era: Era, processes: Processes) -> None:
        self._era = era
        self._processes = processes
        self._secret = processes.folder / "secret"
        self._secret.touch(mode=0o600)
        self._secret.write_text(secrets.token_hex(32))
        self._roles: dict[str, Role] = {}

    def start(self, *names: str) -> float:
        """Start these roles at once; return the seconds until all their ready lines.

        A name is a role's, or that of an instance of inventory. Raises CannotMeasure with what was
        said instead.
        """
        began = time.perf_counter()
        for name in names:
            kind = name.partition("-")[0]
            options = self._options(kind, name)
            self._roles[name] = self._processes.begin(name, self._era.package, kind, *options)
        wait_ready(*(self._roles[name] for name in names))
        return time.perf_counter() - began

    def start_whole(self, instances: int) -> float:
        """Start registry, inventories and orders; return the seconds until orders knows them all.

        One after the other as they need each other, the inventories at once.
        """
        names = [f"inventory-{number}" for number in range(1, instances + 1)]
        began = time.perf_counter()
        self.start("registry")
        self.start(*names)
        self.start("orders")
        while not set(names) <= set(_instances_known_at(self._roles["orders"].address)):
            if time.perf_counter() - began > READY_S:
                raise CannotMeasure(f"orders did not come to know {', '.join(names)}")
            time.sleep(LOOK_AGAIN_S)
        return time.perf_counter() - began

    def _options(self, kind: str, name: str) -> list[str]:
        scheme = self._era.schemes["portable"]
        listen = ["--listen", f"{scheme}://127.0.0.1:0"]
        store = ["--store", str(self._processes.folder / f"{kind}.sqlite")]
        if not self._era.speaks_http:
            counter = str(self._processes.folder / "counter")
            towards = ["--inventory", f"{scheme}://{NOBODY}", "--counter", counter]
            return [*(towards if kind == "orders" else listen), *store]
        secret = ["--secret", str(self._secret)]
        if kind == "registry":
            return [*listen, *secret]
        instance = ["--name", name] if kind == "inventory" else []
        registry = self._roles["registry"].address
        return [*instance, *listen, "--registry", registry, *store, *secret]


def roles(era: Era) -> tuple[str, ...]:
    """The roles of an era that are services, in the order in which they can be started."""
    return HTTP_ROLES if era.speaks_http else COUNTER_ROLES


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
