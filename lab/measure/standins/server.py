"""An inventory that says `reserved` and does nothing: a bare Flask route, or era 4's server stack.

python -m lab.measure.standins.server HOW --listen http://127.0.0.1:0 [--secret FILE]

Both are served by the same lines, era 4's, so that what differs is the stack. `GET /cpu` tells the
seconds of CPU that the process has used.
"""

from __future__ import annotations

import argparse
import importlib
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import flask

from lab import find

PLENTY = 1e6  # a quota that is looked at, and never used up


def flask_route(options: argparse.Namespace) -> flask.Flask:
    """A route, as in Flask's own first example."""
    app = flask.Flask("inventory")

    @app.put("/reservations/<order_id>")
    def reserve(order_id: str) -> tuple[dict[str, str], int]:
        asked = flask.request.get_json()
        return {"outcome": "reserved", "sku": asked["sku"]}, 201

    return app


def stack(options: argparse.Namespace) -> flask.Flask:
    """Era 4's inventory, its server stack with all filters, and nothing behind it."""
    identity, inventory = _era("identity"), _era("inventory")
    me = identity.Identity(identity.read_secret(options.secret), "inventory")
    telemetry, door = _era("telemetry").Telemetry("inventory-1"), _era("server").Door()
    asked = inventory.operations(Idle())
    plenty = {"orders": _era("config").QuotaConfig(PLENTY, PLENTY)}
    config = replace(inventory.CONFIG, quotas=plenty)
    service = _era("stack").server_stack(asked, me, telemetry, config)
    app: flask.Flask = _era("web").web("inventory", asked, service, door, telemetry, config)
    return app


class Idle:
    """An inventory that agrees to everything."""

    def __init__(self) -> None:
        shop = importlib.import_module(f"{find.find('0').package}.shop")
        self._outcome = shop.Outcome("reserved")

    def reserve(self, order_id: str, sku: Any, quantity: Any) -> Any:
        return self._outcome

    release = catalogue = reserve


def _era(name: str) -> Any:  # an era is found, not known by name
    return importlib.import_module(f"{find.find('4').package}.{name}")


WAYS = {"flask": flask_route, "stack": stack}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m lab.measure.standins.server")
    parser.add_argument("how", choices=WAYS)
    parser.add_argument("--listen", required=True, metavar="URL")
    parser.add_argument("--secret", type=Path)
    options = parser.parse_args()
    app = WAYS[options.how](options)
    app.add_url_rule("/cpu", "cpu", lambda: {"cpu_s": time.process_time()})

    def ready(url: str) -> None:
        print(f"{options.how} ready at {url}", flush=True)

    server = _era("server")
    config = _era("config").ServerConfig()
    server.serve(server.listener_at(options.listen), app, server.Door(), config, ready)


if __name__ == "__main__":
    main()
