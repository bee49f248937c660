"""One contestant that stands: where it is asked, what it is, whether it answers."""

from __future__ import annotations

import http.client
import socket
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from lab.launch import Role
from lab.measure import CannotMeasure

READY_S = 15.0
LOOK_AGAIN_S = 0.002


@dataclass(frozen=True)
class Side:
    """One contestant: the URL at which it is asked, and the processes that it is."""

    url: str
    roles: tuple[Role, ...] = ()
    headers: Mapping[str, str] = field(default_factory=lambda: {"Host": "inventory"})

    @property
    def groups(self) -> tuple[int, ...]:
        return tuple(role.pid for role in self.roles)


def free_ports(count: int) -> list[int]:
    """So many ports that nobody listens at: programs that cannot tell theirs must be told one."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [each.getsockname()[1] for each in sockets]


def wait_answer(side: Side) -> float:
    """Ask until the answer is 200; return the seconds that it took. Raises CannotMeasure."""
    began = time.perf_counter()
    last = "nothing"
    while time.perf_counter() - began < READY_S:
        last = _status(side)
        if last == "200":
            return time.perf_counter() - began
        if side.roles and not all(role.is_running for role in side.roles):
            break
        time.sleep(LOOK_AGAIN_S)
    said = [role.log.read_text()[-500:] for role in side.roles if role.log.exists()]
    raise CannotMeasure(f"{side.url} answered {last}; {' '.join(said)}")


def _status(side: Side) -> str:
    parts = urlsplit(side.url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=5)
    try:
        connection.request("GET", parts.path, headers=dict(side.headers))
        return str(connection.getresponse().status)
    except (OSError, http.client.HTTPException) as error:
        return type(error).__name__
    finally:
        connection.close()
