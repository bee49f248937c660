"""Runs a stray (strays.py) in a host of a transparent shop, with somebody's rights."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from lab.stage import Stage
from lab.wire.divert import available_here, confined, hosts_file, marking

STRAYS = Path(__file__).with_name("strays.py")
ORDERS, INVENTORY = "10.7.0.1", "10.7.0.2"
OUTSIDE = "192.0.2.1"  # RFC 5737: nobody's
TIMEOUT_S = 30
REFUSED = "ECONNREFUSED ConnectionRefusedError"

real = pytest.mark.skipif(bool(available_here()), reason=str(available_here()))


def socket_folder(shop: Stage, role: str) -> Path:
    return Path(shop.address(role).removeprefix("unix:")).parent


def port_of(url: str) -> str:
    return url.rpartition(":")[2]


def as_service(shop: Stage, *deed: str, host: str = "orders") -> str:
    """What comes of a stray's deed with the rights of orders, or of an inventory."""
    mine = socket_folder(shop, "orders" if host == "orders" else "inventory-1")
    hide = [mine.parent, shop.directory / "certificates", shop.secret]
    command = [sys.executable, str(STRAYS), *deed]
    return _run(shop, host, confined(command, hosts=hosts_file(["inventory"]), hide=hide))


def as_service_all(shop: Stage, deeds: list[list[str]], host: str = "orders") -> list[str]:
    """What comes of each, all done by one process."""
    return json.loads(as_service(shop, json.dumps(deeds), host=host))


def as_sidecar(shop: Stage, *deed: str) -> str:
    """The same in orders' host, with the right to set a mark."""
    return _run(shop, "orders", marking([sys.executable, str(STRAYS), *deed]))


def _run(shop: Stage, host: str, command: list[str]) -> str:
    inside = shop.wire.orders if host == "orders" else shop.wire.inventory
    told = subprocess.run(
        [*inside.argv_prefix(), *command], capture_output=True, text=True, timeout=TIMEOUT_S
    )
    assert not told.returncode, told.stderr
    return told.stdout.strip()


def capabilities(pid: int) -> dict[str, int]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    fields = (line.partition(":") for line in lines if line.startswith(("Cap", "NoNewPrivs")))
    return {name: int(value, 16) for name, _, value in fields}


def stray_addresses(shop: Stage) -> dict[str, str]:
    return {
        "the sidecar of inventory": shop.address("inventory-1-sidecar"),
        "the registry": shop.registry_url,
        "another port": f"http://{INVENTORY}:8000",
        "outside": f"http://{OUTSIDE}:80",
        "its own host": f"http://{ORDERS}:8000",
        "loopback": "http://127.0.0.1:8000",
        "the admin of its own sidecar": admin_of(shop, "orders-sidecar"),
    }


def admin_of(shop: Stage, role: str) -> str:
    line = next(each for each in shop.logs(role).splitlines() if "sidecar listens" in each)
    return line.rpartition("admin=")[2]


WHERE = ["the sidecar of inventory", "the registry", "another port", "outside"]
WHERE += ["its own host", "loopback", "the admin of its own sidecar"]
