"""Who is there: the registry is asked again and again, and told again and again.

A client keeps the last list that it heard. It keeps it when the registry is dead, and when the
registry knows nobody: one that has just started is likelier than an empty world (Eureka calls this
self-preservation). An instance holds a lease and renews it, as one that dies cannot say so.
"""

import json
import logging
import re
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from ipaddress import ip_address
from typing import Any
from urllib.parse import quote

import requests

from era0_naive.role import host_and_port
from era4_framework.config import ServerConfig
from era4_framework.endpoints import Instance
from era4_framework.errors import CallFailed
from era4_framework.http import MOST_INSTANCES, Http
from era4_framework.identity import Identity

REGISTRY_TIMEOUT_S = 0.5  # for one question to it
PATIENCE_S = 5.0  # with a registry that is not there when a service starts
PAUSE_S = 0.1
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")  # of an instance, as the registry has it

log = logging.getLogger("resolver")
Resolver = Callable[[], tuple[Instance, ...]]  # who can be asked now; it never waits


class Known:
    """The instances as last heard of, and the rules for what is heard."""

    def __init__(self) -> None:
        self.instances: tuple[Instance, ...] = ()
        self.complaint = ""  # about what was heard last; empty: nothing was wrong

    def hear(self, answer: Any) -> None:
        """What the registry answered: an empty list changes nothing, nonsense neither."""
        found = read_instances(answer)
        self.complaint = "" if found else "no instance in its answer"
        if found and found != self.instances:
            self.instances = found

    def hear_nothing(self, why: str) -> None:
        """The registry did not answer: nothing is known to have changed."""
        self.complaint = why

    def __repr__(self) -> str:
        return f"<Known {', '.join(each.name for each in self.instances) or 'nobody'}>"


def read_instances(answer: Any) -> tuple[Instance, ...]:
    """The instances in a registry's answer, by name; an entry that makes no sense is left out."""
    listed = answer.get("instances") if isinstance(answer, dict) else None
    found = []
    for each in listed[:MOST_INSTANCES] if isinstance(listed, list) else []:
        with suppress(AttributeError, TypeError, ValueError):
            found.append(_instance(each.get("name"), each.get("url")))
    return tuple(sorted(found, key=lambda each: each.name))


def _instance(name: str, url: str) -> Instance:
    host, _ = host_and_port(url, "http")
    ip_address(host)  # a name would be looked up again and again, and that has no time limit
    if not NAME.fullmatch(name):
        raise ValueError(f"instance {name!r}; accepted: {NAME.pattern}")
    return Instance(name, url)


class Discovery:
    """A resolver that asks the registry, first at once, then from a thread of its own."""

    def __init__(self, registry: str, service: str, poll_s: float) -> None:
        """registry: its URL; raises ValueError if that is none."""
        host_and_port(registry, "http")
        self._url = f"{registry}/services/{quote(service)}"
        self._poll_s = poll_s
        self._http = Http()
        self._known = Known()
        self._is_over = threading.Event()

    def __call__(self) -> tuple[Instance, ...]:
        """Who can be asked now."""
        return self._known.instances

    def start(self) -> None:
        """Asks, and goes on asking until `stop`."""
        self._ask()
        threading.Thread(target=self._follow, name="discovery", daemon=True).start()

    def stop(self) -> None:
        """Asks no more; who is known stays known."""
        self._is_over.set()

    def _follow(self) -> None:
        while not self._is_over.wait(self._poll_s):
            self._ask()

    def _ask(self) -> None:
        before = self._known.complaint
        try:
            until = time.monotonic() + REGISTRY_TIMEOUT_S
            asked = requests.Request("GET", self._url)
            status, _, answer = self._http.exchange("registry", asked, REGISTRY_TIMEOUT_S, until)
            self._hear(status, answer)
        except CallFailed as error:
            self._known.hear_nothing(str(error))
        if self._known.complaint != before:
            log.warning("registry complaint=%r kept=%r", self._known.complaint, self._known)

    def _hear(self, status: int, answer: Any) -> None:
        if status == 200:
            self._known.hear(answer)
        else:
            self._known.hear_nothing(f"registry: status {status}")


class Lease:
    """An instance's place in the registry: taken, kept by heartbeats, given back."""

    def __init__(
        self,
        registry: str,
        name: str,
        identity: Identity,
        config: ServerConfig,
        advertise: str | None = None,
    ) -> None:
        """name: of this instance. advertise: where others are to reach it, if not where it listens.

        Raises ValueError if a URL is none.
        """
        host_and_port(registry, "http")
        self._url = f"{registry}/services/{quote(identity.service)}/{quote(name, safe='')}"
        self._identity = identity
        self._heartbeat_s = config.heartbeat_s
        self._lease_s = config.lease_s
        self._advertise = advertise
        self._http = Http()
        self._is_over = threading.Event()
        self._heart = threading.Thread(name="heartbeat", daemon=True, target=self._keep)
        self._body = b""

    def take(self, url: str) -> None:
        """Registers `url` and goes on renewing; waits a while for a registry that is not there.

        Raises ValueError if the registry refuses.
        """
        lease = {"url": self._advertise or url, "lease_s": self._lease_s}
        self._body = json.dumps(lease).encode()
        until = time.monotonic() + PATIENCE_S
        while (complaint := self._tell("PUT", self._body)) and time.monotonic() < until:
            time.sleep(PAUSE_S)
        if complaint:
            log.warning("registry complaint=%r after_s=%g", complaint, PATIENCE_S)
        self._heart.start()

    def give_back(self) -> None:
        """Nobody new is to come; the registry may be dead."""
        self._is_over.set()
        if self._heart.is_alive():
            self._heart.join(2 * REGISTRY_TIMEOUT_S)  # its last beat must not undo what comes now
        with suppress(ValueError):
            self._tell("DELETE", b"")

    def _keep(self) -> None:
        before = ""
        while not self._is_over.wait(self._heartbeat_s):
            try:
                complaint = self._tell("PUT", self._body)
            except ValueError as error:  # it accepted this before: it may again
                complaint = str(error)
            if complaint != before:
                log.warning("registry complaint=%r", complaint)
                before = complaint

    def _tell(self, method: str, body: bytes) -> str:
        """Empty, or why the registry did not hear it. Raises ValueError if it refused."""
        # the registry is no service of this framework: its header does not change with our release
        headers = {"Authorization": f"Bearer {self._identity.token_for('registry')}"}
        until = time.monotonic() + REGISTRY_TIMEOUT_S
        try:
            asked = requests.Request(method, self._url, headers, data=body)
            status, _, answer = self._http.exchange("registry", asked, REGISTRY_TIMEOUT_S, until)
        except CallFailed as error:
            return str(error)
        if 400 <= status < 500:
            raise ValueError(f"the registry refused: {answer.get('detail', status)}")
        return "" if status == 200 else f"registry: status {status}"
