"""An inventory that says `reserved` and does nothing: a bare Flask route, or era 4's server stack.

python -m lab.measure.standins.server HOW --listen http://127.0.0.1:0 [--secret FILE]

Both are served by the same lines, era 4's, so that what differs is the stack. `GET /cpu` tells the
seconds of CPU that the process has used.
"""

from __future__ import annotations

import argparse
import importlib
import time
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
    """Era 4's server with all its filters, as its inventory has it."""
    identity = _era("identity")
    me = identity.Identity(identity.read_secret(options.secret), "inventory")
    telemetry = _era("telemetry").Telemetry("inventory-1")
    reserved = importlib.import_module(f"{find.find('0').package}.shop").Outcome("reserved")

    def run(order_id: str, sku: Any, quantity: Any) -> Any:
        return reserved

    reserve = _era("outcomes").Operation(
        "reserve", "PUT", "/reservations/<text:order_id>", run, ("sku", "quantity")
    )
    config = _era("config")
    allowed = config.ServerConfig(
        may={"reserve": ("orders",)}, quotas={"orders": config.QuotaConfig(PLENTY, PLENTY)}
    )
    service = _era("stack").server_stack([reserve], me, telemetry, allowed)
    door = _era("server").Door()
    app = _era("web").web("inventory", [reserve], service, door, telemetry, allowed)
    assert isinstance(app, flask.Flask)  # noqa: S101  (found, so not known to the type checker)
    return app


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
