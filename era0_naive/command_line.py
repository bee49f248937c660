"""The roles of an era and what each is told when it starts: four sets, before HTTP, from then on,
where what the second set is told goes to a process beside each service, and where one process tells
all of these.

`parameters` names the options in the order in which the role's `main` takes them, `module` the file
in which it is found if that has not the role's name.
"""

import argparse
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

ONE_URL = {"required": True, "metavar": "URL"}
ONE_FILE = {"required": True, "type": Path, "metavar": "FILE"}


def counter_roles(roles: Any) -> None:
    """Eras 0 to 2: one inventory at one address; customers stand at a counter."""
    inventory = roles.add_parser("inventory", help="owns the stock")
    inventory.add_argument("--listen", **ONE_URL, help="port 0: any free one")
    inventory.add_argument("--store", **ONE_FILE)
    inventory.add_argument("--catalogue", type=Path, metavar="FILE", help="else the seeded one")
    inventory.set_defaults(parameters=("listen", "store", "catalogue"))

    orders = roles.add_parser("orders", help="takes orders from customers")
    orders.add_argument("--inventory", **ONE_URL, help="where it listens")
    orders.add_argument("--store", **ONE_FILE)
    orders.add_argument("--counter", required=True, type=Path, metavar="PATH", help="a Unix socket")
    orders.set_defaults(parameters=("inventory", "store", "counter"))

    customer = roles.add_parser("customer", help="asks one thing at the counter")
    customer.add_argument("--counter", required=True, type=Path, metavar="PATH")
    customer.add_argument("operation", metavar="OPERATION", help='as {"op": "catalogue"}')


def http_roles(roles: Any) -> None:
    """From era 3 on: a registry, any number of inventories, and orders, all at URLs."""
    _registry(roles)

    inventory = roles.add_parser("inventory", help="owns the stock, with its other instances")
    inventory.add_argument("--name", required=True, metavar="NAME", help="of this instance")
    inventory.add_argument("--listen", **ONE_URL, help="port 0: any free one")
    inventory.add_argument("--advertise", metavar="URL", help="what to register (as --listen)")
    inventory.add_argument("--registry", **ONE_URL, help="where it listens")
    inventory.add_argument("--store", **ONE_FILE, help="shared by all instances")
    inventory.add_argument("--secret", **ONE_FILE, help="what tokens are signed with")
    inventory.add_argument("--catalogue", type=Path, metavar="FILE", help="else the seeded one")
    inventory.set_defaults(
        parameters=("name", "listen", "advertise", "registry", "store", "secret", "catalogue")
    )

    orders = roles.add_parser("orders", help="takes orders from customers, as HTTP")
    orders.add_argument("--listen", **ONE_URL, help="port 0: any free one")
    orders.add_argument("--registry", **ONE_URL, help="where it listens")
    orders.add_argument("--store", **ONE_FILE)
    orders.add_argument("--secret", **ONE_FILE, help="what tokens are signed with")
    orders.set_defaults(parameters=("listen", "registry", "store", "secret"))


def sidecar_roles(roles: Any) -> None:
    """From era 5 on: the services know nobody, and each has a proxy beside it that does."""
    _registry(roles)
    _plain_services(roles)

    sidecar = roles.add_parser("sidecar", help="keeps a proxy running beside one service")
    sidecar.add_argument("--config", **ONE_FILE, help="as sidecar.toml")
    sidecar.set_defaults(parameters=("config",), module="supervisor")

    bought = roles.add_parser("bought", help="the same with a proxy that one can buy")
    bought.add_argument("--program", required=True, metavar="NAME", help="haproxy, nginx or envoy")
    bought.add_argument("--config", **ONE_FILE, help="as sidecar.toml")
    bought.set_defaults(parameters=("program", "config"))

    proxy = roles.add_parser("proxy", help="that proxy, with nobody who starts it again")
    proxy.add_argument("--config", **ONE_FILE, help="as sidecar.toml")
    proxy.set_defaults(parameters=("config",))

    certificates = roles.add_parser("certificates", help="makes an authority and what it signs")
    certificates.add_argument("--folder", required=True, type=Path, metavar="DIR")
    certificates.add_argument("services", nargs="+", metavar="SERVICE")
    certificates.set_defaults(parameters=("folder", "services"))


def mesh_roles(roles: Any) -> None:
    """Era 6: the same services and proxies, and one process that tells all proxies what to do."""
    _plain_services(roles)
    node = {**ONE_FILE, "help": "where this one node's things are"}

    pilot = roles.add_parser("pilot", help="tells all sidecars what to do, and who is who")
    pilot.add_argument("--state", required=True, type=Path, metavar="DIR", help="what it knows")
    pilot.add_argument("--nodes", **ONE_URL, help="for who has a certificate: https://IP:PORT")
    pilot.add_argument("--join", **ONE_URL, help="for who has a token: https://IP:PORT")
    pilot.add_argument("--operator", **ONE_URL, help="for the operator: http://IP:PORT, loopback")
    pilot.add_argument("--intent", type=Path, metavar="FILE", help="in force if nothing is yet")
    pilot.add_argument(
        "--network",
        action="append",
        metavar="CIDR",
        help="where instances may live, repeatable (127.0.0.0/8)",
    )
    pilot.set_defaults(parameters=("state", "nodes", "join", "operator", "intent", "network"))

    agent = roles.add_parser("agent", help="gets one instance its certificates, vouches for it")
    agent.add_argument("--config", **node)
    agent.set_defaults(parameters=("config",))

    sidecar = roles.add_parser("sidecar", help="keeps a proxy running beside one service")
    sidecar.add_argument("--config", **node)
    sidecar.set_defaults(parameters=("config",))

    proxy = roles.add_parser("proxy", help="our proxy, with nobody who starts it again")
    proxy.add_argument("--config", **node)
    proxy.set_defaults(parameters=("config",))

    # What follows is all its own, options and --help, too: no letter begins an option here.
    mesh = roles.add_parser(
        "mesh", help="what an operator says and asks", prefix_chars="\0", add_help=False
    )
    mesh.add_argument("arguments", nargs=argparse.REMAINDER)
    mesh.set_defaults(parameters=("arguments",))


def _plain_services(roles: Any) -> None:
    nearby = {**ONE_URL, "metavar": "ADDRESS", "help": "unix:PATH or http://HOST:PORT"}

    inventory = roles.add_parser("inventory", help="owns the stock, with its other instances")
    inventory.add_argument("--name", required=True, metavar="NAME", help="of this instance")
    inventory.add_argument("--listen", **nearby)
    inventory.add_argument("--store", **ONE_FILE, help="shared by all instances")
    inventory.add_argument("--catalogue", type=Path, metavar="FILE", help="else the seeded one")
    inventory.set_defaults(parameters=("name", "listen", "store", "catalogue"))

    orders = roles.add_parser("orders", help="takes orders from customers; set http_proxy for it")
    orders.add_argument("--listen", **nearby)
    orders.add_argument("--store", **ONE_FILE)
    orders.set_defaults(parameters=("listen", "store"))


def _registry(roles: Any) -> None:
    registry = roles.add_parser("registry", help="knows which instances there are")
    registry.add_argument("--listen", **ONE_URL, help="port 0: any free one")
    registry.add_argument("--secret", **ONE_FILE, help="what tokens are signed with")
    registry.add_argument(
        "--network",
        action="append",
        metavar="CIDR",
        help="where instances may live, repeatable (127.0.0.0/8)",
    )
    registry.set_defaults(parameters=("listen", "secret", "network"))


def command_line(era: ModuleType) -> argparse.ArgumentParser:
    """What `python -m PACKAGE` understands."""
    parser = argparse.ArgumentParser(
        prog=f"python -m {era.__name__}", description="Without a role: this era's story."
    )
    roles_of(era)(parser.add_subparsers(dest="role", metavar="ROLE"))
    return parser


def roles_of(era: ModuleType) -> Callable[[Any], None]:
    """Which of the sets: the package says it in its `__init__.py`."""
    if hasattr(era, "HAS_CONTROL_PLANE"):
        return mesh_roles
    if hasattr(era, "HAS_SIDECARS"):
        return sidecar_roles
    return http_roles if "http" in era.SCHEMES.values() else counter_roles
