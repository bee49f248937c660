"""The roles of an era and what each is told when it starts: three sets, before HTTP, from then on,
and where what the second set is told goes to a process beside each service.

`parameters` names the options in the order in which the role's `main` takes them, `module` the file
in which it is found if that has not the role's name.
"""

import argparse
from pathlib import Path
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


def command_line(
    package: str, speaks_http: bool, has_sidecars: bool = False
) -> argparse.ArgumentParser:
    """What `python -m PACKAGE` understands."""
    parser = argparse.ArgumentParser(
        prog=f"python -m {package}", description="Without a role: this era's story."
    )
    describe = http_roles if speaks_http else counter_roles
    describe = sidecar_roles if has_sidecars else describe
    describe(parser.add_subparsers(dest="role", metavar="ROLE"))
    return parser
