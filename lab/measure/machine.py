"""The machine that a measurement ran on, so that its numbers can be judged and compared."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

PEERS = ("aioquic", "pyenet", "scapy")

# The kernel's TCP is a contestant: these are the settings that it runs with.
TCP_SETTINGS = ("tcp_rmem", "tcp_wmem", "tcp_sack", "tcp_timestamps", "tcp_recovery")


def describe() -> dict[str, Any]:
    """Return what this machine is: processor, cores, memory, kernel, Python, the peers' versions.

    Unknown parts are empty strings or None: a description must not stop a measurement.
    """
    return {
        "processor": _first_value("/proc/cpuinfo", "model name") or platform.processor(),
        "cores": os.cpu_count(),
        "memory_gib": _memory_gib(),
        "system": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "packages": versions(PEERS),
        "tcp": {name: _setting(name) for name in TCP_SETTINGS},
        "load_before": round(os.getloadavg()[0], 2),
    }


def versions(packages: Sequence[str]) -> dict[str, str]:
    """Return their installed versions; empty for one that is not installed."""
    return {name: _version(name) for name in packages}


def _memory_gib() -> float | None:
    kib = _first_value("/proc/meminfo", "MemTotal").removesuffix(" kB")
    return round(int(kib) / 2**20, 1) if kib else None


def _first_value(path: str, key: str) -> str:
    for line in _read(path).splitlines():
        name, _, value = line.partition(":")
        if name.strip() == key:
            return value.strip()
    return ""


def _setting(name: str) -> str:
    return " ".join(_read(f"/proc/sys/net/ipv4/{name}").split())


def _read(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""
