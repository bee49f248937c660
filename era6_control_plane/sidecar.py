"""What stands beside a service: a supervisor and our proxy, or a keeper and Envoy."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

from era5_sidecar import supervisor, supervisor_config

ENVOY = "envoy"


def main(config: Path, ready: Callable[[str], None]) -> None:
    """Runs a sidecar until it is stopped; `ready` is told where it serves. config: as node.read
    takes it. Raises ConfigError, OSError.
    """
    if _is_envoy(config):
        from era6_control_plane import keeper  # which imports what the other kind does not need

        keeper.main(config, ready)
        return
    command = [sys.executable, "-m", "era6_control_plane", "proxy", "--config", str(config)]
    supervisor.main(config, ready, command)


def _is_envoy(config: Path) -> bool:
    """Which data plane it is. What else is wrong with the file the proxy will say, if it can be
    started at all. Raises ConfigError, OSError.
    """
    try:
        supervisor_config.read(config)
        return tomllib.loads(config.read_text(encoding="utf-8")).get("data_plane") == ENVOY
    except (OSError, ValueError):
        from era6_control_plane.node import read  # slow, and heavy; but it tells the line

        read(config)
        raise
