"""The contestants: each stands on a port of its own before the same upstream."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import ModuleType
from urllib.parse import urlsplit

from lab import find
from lab.launch import Role
from lab.measure import CannotMeasure, sidecar_plain, sidecar_told
from lab.measure.processes import Processes
from lab.measure.sidecar_side import Side, free_ports, wait_answer

ERA = "5"
FALLBACK = {"ERAS_PLAIN_ASYNCIO": "1"}  # our proxy without uvloop
TARGET = "/catalogue"

OURS, ASYNCIO = "ours", "ours-asyncio"
EQUAL = "envoy-equal"
TUNED = "nginx-tuned"
SAID = {
    EQUAL: "Envoy with equal policies, one worker",
    "envoy": "Envoy without policies, one worker",
    "nginx": "nginx without policies, one worker",
    "haproxy": "HAProxy without policies, one thread",
    "none": "no proxy",
}


class Sides:
    """Starts contestants and their upstream; leaving the `with` block ends all of them."""

    def __init__(self) -> None:
        self._ends = ExitStack()
        self._processes = self._ends.enter_context(Processes())
        self.folder = self._processes.folder
        self.endpoints = free_ports(2)
        self.timeouts_s = sidecar_told.USUAL_S

    def upstream(self) -> None:
        """Start the nginx that answers 200 bytes. Raises CannotMeasure."""
        text = sidecar_plain.upstream(self._place("up"), self.endpoints, self.folder / "app.sock")
        self._nginx("up", text)
        for port in self.endpoints:
            wait_answer(Side(f"http://127.0.0.1:{port}{TARGET}"))

    def streams(self) -> None:
        """Start the upstream of large bodies instead, and give every request an hour.

        Raises CannotMeasure.
        """
        role = self._processes.start("streams", "lab.measure.standins.streams")
        self.endpoints = [urlsplit(role.address).port or 0]
        self.timeouts_s = (sidecar_told.LONG_S, sidecar_told.LONG_S)

    def certificates(self) -> None:
        """Make an authority and what it signs. Raises CannotMeasure."""
        part("certificates").main(self.folder, ("orders", "inventory"))

    def start(self, name: str, path: str = "outbound") -> Side:
        """Start one by its name, on one of the PATHS, and wait until it answers.

        Raises CannotMeasure.
        """
        side = self.begin(name, path)
        wait_answer(side)
        return side

    def begin(self, name: str, path: str = "outbound") -> Side:
        """The starting alone."""
        if name in (OURS, ASYNCIO, EQUAL):
            return PATHS[path](self, name)
        port = free_ports(1)[0]
        if name == "none":
            return Side(f"http://127.0.0.1:{self.endpoints[0]}{TARGET}")
        return Side(f"http://127.0.0.1:{port}{TARGET}", (self._plain(name, port),))

    def _plain(self, name: str, port: int) -> Role:
        place = self._place(name)
        if name in ("nginx", TUNED):
            is_large = name == TUNED
            return self._nginx(name, sidecar_plain.nginx(place, port, self.endpoints, is_large))
        if name == "haproxy":
            file = place / "haproxy.cfg"
            file.write_text(sidecar_plain.haproxy(port, self.endpoints))
            return self._run(name, [program("haproxy"), "-db", "-f", str(file)])
        file = place / "envoy.json"
        file.write_text(sidecar_plain.envoy(port, self.endpoints))
        options = ["--concurrency", "1", "--disable-hot-restart", "--log-level", "error"]
        return self._run(name, [program("envoy"), "-c", str(file), *options])

    def _nginx(self, name: str, text: str) -> Role:
        place = self._place(name)
        (place / "nginx.conf").write_text(text)
        options = ["-p", str(place), "-c", str(place / "nginx.conf"), "-e", "stderr"]
        return self._run(name, [program("nginx"), *options])

    def outbound(self, name: str) -> Side:
        """A caller's sidecar, asked as `http_proxy` would; it asks the upstream in the clear."""
        ports = free_ports(3)
        told = sidecar_told.outbound(self.folder, ports, self.endpoints, timeouts_s=self.timeouts_s)
        role = self._sidecar(name, told)
        return Side(f"http://127.0.0.1:{ports[1]}{TARGET}", (role,))

    def inbound(self, name: str) -> Side:
        """The sidecar of who is asked, before a unix socket."""
        ports = free_ports(3)
        role = self._sidecar(name, sidecar_told.inbound(self.folder, ports))
        return Side(f"http://127.0.0.1:{ports[0]}{TARGET}", (role,))

    def both(self, name: str) -> Side:
        """Two sidecars with mutual TLS between them: what one call crosses in a mesh."""
        callee, caller = free_ports(3), free_ports(3)
        told = sidecar_told.inbound(self.folder, callee, certified=True)
        asked = self._sidecar(name, told, "-in")
        told = sidecar_told.outbound(self.folder, caller, callee[:1], certified=True)
        asks = self._sidecar(name, told, "-out")
        return Side(f"http://127.0.0.1:{caller[1]}{TARGET}", (asks, asked))

    def _sidecar(self, name: str, told: str, suffix: str = "") -> Role:
        place = self._place(f"{name}{suffix}")
        file = place / "sidecar.toml"
        file.write_text(told)
        if name != EQUAL:
            return self.ours(f"{name}{suffix}", "proxy", file, name == ASYNCIO)
        bought = part("bought")
        bought.place("envoy", part("config").read(file), {}, place)
        return self._run(
            f"{name}{suffix}", bought.language("envoy").command(program("envoy"), str(place))
        )

    def ours(self, name: str, role: str, file: Path, is_fallback: bool = False) -> Role:
        """Start our proxy alone, or its supervisor with it (`role`)."""
        package = find.find(ERA).package
        environment = FALLBACK if is_fallback else {}
        options = (role, "--config", str(file))
        return self._processes.begin(name, package, *options, environment=environment)

    def _run(self, name: str, argv: Sequence[str]) -> Role:
        return self._processes.begin_program(name, argv)

    def _place(self, name: str) -> Path:
        place = self.folder / name
        place.mkdir(exist_ok=True)
        return place

    def __enter__(self) -> Sides:
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.close()


PATHS: Mapping[str, Callable[[Sides, str], Side]] = {
    "outbound": Sides.outbound,
    "inbound": Sides.inbound,
    "mtls": Sides.both,
}


def part(name: str) -> ModuleType:
    """A module of the era with sidecars."""
    return importlib.import_module(f"{find.find(ERA).package}.{name}")


def program(name: str) -> str:
    """The path of a bought proxy. Raises CannotMeasure, saying how to get it."""
    bought = part("bought")
    try:
        return str(bought.find(name))
    except bought.Missing as missing:
        raise CannotMeasure(str(missing)) from None


def require_all() -> None:
    """Raise CannotMeasure if a peer is missing."""
    for name in ("nginx", "haproxy", "envoy"):
        program(name)
