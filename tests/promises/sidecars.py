"""What stands beside the services, from era 5 on: where it listens, which process it is."""

import json
import os
import re
import signal
from pathlib import Path
from typing import TYPE_CHECKING

from lab.cast.beside import SUFFIX
from lab.processes import children_of
from tests.promises import mesh
from tests.promises.web import Request, exchange

if TYPE_CHECKING:
    from lab.stage import Stage
    from tests.promises.trial import Trial

KNOWN = re.compile(r'^breaker_state\{callee="inventory",instance="([^"]+)"\}', re.MULTILINE)


def beside(stage: "Stage", role: str) -> str:
    """The role that stands beside this one; empty if none does."""
    name = role.removesuffix(SUFFIX) + SUFFIX
    return name if name in stage.roles else ""


def proxies_of(stage: "Stage", role: str) -> set[int]:
    """The pids of what really carries the requests of this role: two while one takes over."""
    return children_of(stage.pid(beside(stage, role)))


def freeze(stage: "Stage", role: str) -> None:
    """SIGSTOP of the proxy alone: who looks after it goes on looking."""
    for pid in proxies_of(stage, role):
        os.kill(pid, signal.SIGSTOP)


def ruler_of(stage: "Stage") -> str:
    """The role that knows who is there."""
    return mesh.RULER if stage.era.has_control_plane else "registry"


def file_of(stage: "Stage", role: str) -> Path:
    """What the sidecar of this role is told."""
    return stage.directory / f"{beside(stage, role)}.toml"


def known_to(stage: "Stage", role: str) -> list[str]:
    """The instances of inventory that the sidecar of this role knows, by name."""
    if stage.era.has_control_plane:
        return mesh.known_to(stage, role)
    admin = re.findall(r"admin=(\S+)", stage.logs(beside(stage, role)))[-1]
    return sorted(KNOWN.findall(exchange(Request(admin, "GET", "/stats")).text))


def outbound_of(stage: "Stage", role: str) -> str:
    """The http_proxy of this service."""
    return re.findall(r"outbound=(\S+)", stage.logs(beside(stage, role)))[-1]


def listed(trial: "Trial", role: str) -> list[str]:
    """The instances that the registry (as name and address) or orders (by name) knows now.

    Where a control plane is the registry it is asked in its place.
    """
    if role == "orders" and beside(trial.stage, role):
        return known_to(trial.stage, role)
    if role == "orders":
        ready = exchange(Request(trial.stage.url, "GET", "/ready"))
        return sorted(json.loads(ready.text)["instances"])
    if trial.stage.era.has_control_plane:
        return mesh.listed(trial.stage)
    answer = exchange(Request(trial.stage.registry_url, "GET", "/services/inventory"))
    return sorted(f"{each['name']} {each['url']}" for each in json.loads(answer.text)["instances"])
