"""What a supervisor reads of the sidecar's file: where to listen, what to start, how long to wait.

The proxy judges the whole file; knowing all its rules would make this small process half as heavy
again. Only when something needed here is wrong are they asked, for the line and the reason.
"""

import tomllib
from pathlib import Path
from typing import Any, NamedTuple

from era5_sidecar.supervision_actions import Limits

PARTS = {  # where the file has the limits
    "supervisor": ("probe_every_s", "patience_s", "upgrade_s"),
    "inbound": ("settle_s", "drain_s"),
}


class Told(NamedTuple):
    """listens: name -> http://IP:PORT. release: an absolute path, or empty. mark: 0, or ours."""

    listens: dict[str, str]
    release: str
    limits: Limits
    mark: int


def read(config: Path) -> Told:
    """What the file says to a supervisor. Raises ConfigError, which tells the line and the key."""
    try:
        return _told(tomllib.loads(config.read_text(encoding="utf-8")), config)
    except (OSError, ValueError, TypeError, LookupError, AttributeError) as error:
        from era5_sidecar.config import read as read_all  # slow, and heavy

        read_all(config)
        raise ValueError(f"{config}: {error}") from error


def host_and_port(address: str) -> tuple[str, int]:
    """Splits http://HOST:PORT; raises ValueError if it is none."""
    scheme, _, place = address.partition("://")
    host, _, port = place.rpartition(":")
    if scheme != "http" or not host or not 0 <= int(port) <= 65535:
        raise ValueError(f"address {address!r}; accepted: http://IP:PORT")
    return host, int(port)


def _told(table: dict[str, Any], config: Path) -> Told:
    listens = {"inbound": table["inbound"]["listen"], "admin": table["admin_listen"]}
    if "outbound" in table:
        listens["outbound"] = table["outbound"]["listen"]
    for address in listens.values():
        host_and_port(address)
    found = {name: table.get(part, {}).get(name) for part in PARTS for name in PARTS[part]}
    limits = Limits(**{name: float(of) for name, of in found.items() if of is not None})
    release = table.get("release", "")
    release = str(config.resolve().parent / release) if release else ""
    return Told(listens, release, limits, int(table.get("mark", 0)))
