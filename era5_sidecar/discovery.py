"""Who is there: the registry is asked again and again, and told again and again.

As era 4's library did it. A sidecar keeps the last list that it heard: when the registry is dead,
and when it knows nobody, as one that has just started is likelier than an empty world.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from era5_sidecar.asking import ask
from era5_sidecar.config_sections import RegistryConfig
from era5_sidecar.config_text import check_address, is_name

REGISTRY_TIMEOUT_S = 0.5  # for one question to it
MOST_INSTANCES = 100


@dataclass(frozen=True)
class Instance:
    """One process of a service, and where it is reached: `http://IP:PORT`."""

    name: str
    url: str


class Known:
    """The instances of one service as last heard of, and the rules for what is heard."""

    def __init__(self) -> None:
        self.instances: tuple[Instance, ...] = ()
        self.complaint = ""  # about what was heard last; empty: nothing was wrong

    def hear(self, answer: Any) -> bool:
        """What the registry answered; whether it changes anything. An empty list does not."""
        found = read_instances(answer)
        self.complaint = "" if found else "no instance in its answer"
        if not found or found == self.instances:
            return False
        self.instances = found
        return True

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
    check_address(url, "url")
    if not is_name(name):
        raise ValueError("no name")
    return Instance(name, url)


class Discovery:
    """Follows what the registry knows of some services."""

    def __init__(
        self,
        registry: RegistryConfig,
        services: Mapping[str, float],
        on_instances: Callable[[str, tuple[Instance, ...]], None],
        say: Callable[[str], None],
    ) -> None:
        """services: how often to ask for each, in seconds. on_instances: told of each new list.

        say: told one line when the registry begins to be of no use, or ends to.
        """
        self._registry = registry
        self._services = services
        self._on_instances = on_instances
        self._say = say
        self._known = {service: Known() for service in services}
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Asks for all of them at once, and goes on asking until `stop`."""
        await asyncio.gather(*map(self._ask, self._services))
        self._tasks = [asyncio.create_task(self._follow(service)) for service in self._services]

    async def stop(self) -> None:
        """Asks no more."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _follow(self, service: str) -> None:
        while True:
            await asyncio.sleep(self._services[service])
            await self._ask(service)

    async def _ask(self, service: str) -> None:
        known = self._known[service]
        before = known.complaint
        try:
            target = f"/services/{quote(service)}"
            status, body = await ask(self._registry.url, "GET", target, REGISTRY_TIMEOUT_S)
            is_new = self._hear(known, status, body)
        except (OSError, ValueError) as error:
            known.hear_nothing(f"{type(error).__name__} {error}".strip())
            is_new = False
        if is_new:
            self._on_instances(service, known.instances)
        if known.complaint != before:
            what = known.complaint or "answers again"
            self._say(f"registry, asked for {service}: {what}; known: {known!r}")

    def _hear(self, known: Known, status: int, body: bytes) -> bool:
        if status == 200:
            with suppress(RecursionError):
                return known.hear(json.loads(body))
        known.hear_nothing(f"status {status}")
        return False

    def __repr__(self) -> str:
        return f"<Discovery {self._known}>"
