"""The pilot: tells all sidecars what to do. Beside it the citadel (who is who), the registry (who
is there) and the operator's interface: one process, as Istio's since its release 1.5.

    operator ──▶ Ruling ──▶ Telling ──▶ DiscoveryServer ──▶ every proxy
                              ▲
    agents ──▶ Enrolment ──▶ Membership

What must outlive it is in the state folder. Proxies that find it gone go on with what they have;
one that started again without its state would tell them that there is nobody any more. So it opens
no port before it has read all of that, and the nodes' port last.
"""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import grpc

from era0_naive.role import host_and_port
from era5_sidecar.server import listener_at
from era5_sidecar.starting import allow_files
from era6_control_plane import only_one, operator_token
from era6_control_plane.citadel import Citadel
from era6_control_plane.enrolment import Enrolment
from era6_control_plane.history import History
from era6_control_plane.intent import Intent, MeshIntent
from era6_control_plane.membership import NETWORKS, Membership
from era6_control_plane.operator_api import OperatorApi
from era6_control_plane.pilot_link import JOIN_OPTIONS
from era6_control_plane.ruling import Ruling
from era6_control_plane.telling import Telling
from era6_control_plane.voice import Voice
from era6_control_plane.xds import NODE_OPTIONS

ONLY_OURS = 0o700
GRACE_S = 0.5  # for calls under way when it stops
SLACK_S = 5.0  # for the loop to answer another thread


class Pilot:
    """What it knows, and what an operator may ask of it (see governed.py)."""

    def __init__(self, state: Path, networks: Sequence[str]) -> None:
        """Reads all that is in the folder. Raises OSError, ValueError, Busy."""
        state.mkdir(mode=ONLY_OURS, parents=True, exist_ok=True)
        state.chmod(ONLY_OURS)
        self._held = only_one.hold(state)
        self.token = operator_token.keep(state / "operator.token")
        self.citadel = Citadel(state / "citadel", time.time())
        self.membership = Membership(state / "membership.db", time.monotonic(), networks)
        self.telling = Telling(self.membership.endpoints, say)
        self.ruling = Ruling(History(state / "intent.db"), self._told, self.telling.rehearse)
        self.enrolment = Enrolment(self.citadel, self.membership, self._life_s, say)
        self.is_open = False  # whether nodes reach it
        self._loop: asyncio.AbstractEventLoop | None = None
        self._has_forgotten = bool(self.ruling.revision) and not self.membership.endpoints()

    def begin(self, intent: Path | None) -> None:
        """Puts the first intent in force, if there is none yet. Raises as Ruling.apply, OSError."""
        if self.ruling.revision is None and intent is not None:
            if self.membership.endpoints():
                say("instances are known, and no revision: what was said before them is lost")
            self.ruling.apply(intent.read_text(), "pilot", f"the first: {intent.name}")
        elif intent is not None and self.ruling.revision:
            say(f"revision {self.ruling.revision.number} stays in force; {intent} is not looked at")

    def go(self) -> None:
        """From now on changes are told, in the running loop."""
        self._loop = asyncio.get_running_loop()
        self.membership.on_change = self.telling.endpoints_changed
        self.membership.renew(time.monotonic())
        self.telling.endpoints_changed()
        if self._has_forgotten:  # it would tell everybody that there is nobody
            self._loop.call_later(self.membership.lease_s, self._rule_anew)
            return
        self._rule_anew()

    def _rule_anew(self) -> None:
        if self.ruling.revision and self.ruling.intent:
            self.telling.rule(self.ruling.revision.number, self.ruling.intent)

    def why_not_ready(self) -> str:
        """Empty, or why not."""
        return "" if self.is_open else "it has only just started"

    def status(self, wait_for: int = 0, within_s: float = 0.0) -> Mapping[str, Any]:
        """As JSON: see governed.py."""
        if self._loop is None:
            raise ValueError("it has only just started")
        told = asyncio.run_coroutine_threadsafe(self._status(wait_for, within_s), self._loop)
        return told.result(within_s + SLACK_S)

    def new_token(self, service: str, instance: str, life_s: float) -> str:
        """Lets one instance in, once, within life_s."""
        token = self.citadel.new_token(service, instance, life_s, time.time())
        say(f"a token for {service}/{instance}, good for {life_s:g} s")
        return token

    def rotate(self) -> str:
        """Begins to replace the authority."""
        return self.citadel.rotate(time.time())

    async def _status(self, wait_for: int, within_s: float) -> dict[str, Any]:
        is_settled = await self.telling.settle(wait_for, within_s)
        return {
            "revision": self.telling.revision,
            "is_settled": is_settled,
            "nodes": self.telling.status(),
            "endpoints": self.membership.status(time.monotonic()),
            "authorities": self.citadel.status(time.time()),
        }

    def _told(self, revision: int, intent: Intent) -> None:
        newest = self.ruling.revision
        say(f"revision {revision}" + (f" by {newest.who}: {newest.note}" if newest else ""))
        if self._loop:
            self._loop.call_soon_threadsafe(self.telling.rule, revision, intent)

    def _life_s(self) -> float:
        intent = self.ruling.intent
        return (intent.mesh if intent else MeshIntent()).certificate_life_s


def main(
    state: Path,
    nodes: str,
    join: str,
    operator: str,
    intent: Path | None,
    network: Sequence[str] | None,
    ready: Callable[[str], None],
) -> None:
    """Serves until it is told to stop. state: a folder of its own. nodes, join: https://IP:PORT;
    operator: http://IP:PORT or unix:PATH. intent: the first one, if there is none in force.
    network: where instances may live; None: on this host. Raises OSError, ValueError, Busy.
    """
    allow_files()
    pilot = Pilot(state, network or NETWORKS)
    pilot.begin(intent)
    asyncio.run(_serve(pilot, nodes, join, operator, ready))


async def _serve(
    pilot: Pilot, nodes: str, join: str, operator: str, ready: Callable[[str], None]
) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    for_nodes = grpc.aio.server(options=NODE_OPTIONS)
    for_joining = grpc.aio.server(options=JOIN_OPTIONS)
    pilot.telling.discovery.add_ads(for_nodes)
    for_nodes.add_generic_rpc_handlers((pilot.enrolment.node_handler(),))
    for_joining.add_generic_rpc_handlers((pilot.enrolment.join_handler(),))
    listener = listener_at(operator)
    name = listener.getsockname()
    at_operator = operator if operator.startswith("unix:") else f"http://{name[0]}:{name[1]}"
    at_join = _open(for_joining, join, pilot.enrolment.join_credentials())
    at_nodes = _open(for_nodes, nodes, pilot.enrolment.node_credentials())
    with suppress(OSError):
        print(f"pilot listens nodes={at_nodes} join={at_join} operator={at_operator}", flush=True)
    pilot.go()
    working = asyncio.ensure_future(pilot.enrolment.run())
    api = OperatorApi(pilot.ruling, pilot, pilot.token)
    api.serve(listener)
    await for_joining.start()
    await for_nodes.start()
    pilot.is_open = True
    ready(at_operator)
    await stop.wait()
    say("ends")
    await asyncio.to_thread(api.close)
    working.cancel()
    await pilot.telling.discovery.stop()
    await asyncio.gather(for_nodes.stop(GRACE_S), for_joining.stop(GRACE_S))


def _open(server: grpc.aio.Server, url: str, credentials: grpc.ServerCredentials) -> str:
    host, port = host_and_port(url, "https", least_port=0)
    try:
        bound = server.add_secure_port(f"{host}:{port}", credentials)
    except RuntimeError as error:
        raise OSError(f"address {url!r}: {error}") from error
    return f"https://{host}:{bound}"


def _print(line: str) -> None:
    with suppress(OSError):
        print(f"pilot: {line}", file=sys.stderr, flush=True)


say = Voice(_print).say  # a line for whoever runs this
