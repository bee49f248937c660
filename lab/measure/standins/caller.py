"""Whoever calls an inventory, one call after another: by hand, or through era 4's client stack.

python -m lab.measure.standins.caller HOW --url http://127.0.0.1:... [--token T] [--secret FILE]

A line with a number on stdin: so many calls; then a line of JSON on stdout tells what they took.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import time
from collections.abc import Callable
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests

from lab import find

TIMEOUT_S = 5.0  # nothing fails here; a pause of the machine must not open a breaker
ORDER = {"sku": "sku-0001", "quantity": 1}
RESERVED = "reserved"

Call = Callable[[str], str]  # an order's id -> the outcome


def session(options: argparse.Namespace) -> Call:
    """As everybody writes it first."""
    return _put_with(requests.Session(), options)


def bare(options: argparse.Namespace) -> Call:
    """The same, without a look at proxies' variables and .netrc before each request."""
    kept = requests.Session()
    kept.trust_env = False
    return _put_with(kept, options)


def _put_with(kept: requests.Session, options: argparse.Namespace) -> Call:
    def call(order_id: str) -> str:
        url = f"{options.url}/reservations/{order_id}"
        return str(kept.put(url, json=ORDER, timeout=TIMEOUT_S).json()["outcome"])

    return call


def plain(options: argparse.Namespace) -> Call:
    """The cheapest there is in the standard library, for whoever looks at the server."""
    connection = HTTPConnection(urlsplit(options.url).netloc, timeout=TIMEOUT_S)
    body = json.dumps(ORDER).encode()
    authorised = {"Authorization": f"Bearer {options.token}", "Content-Type": "application/json"}

    def call(order_id: str) -> str:
        connection.request("PUT", f"/reservations/{order_id}", body, authorised)
        return str(json.loads(connection.getresponse().read())["outcome"])

    return call


def stack(options: argparse.Namespace) -> Call:
    """Era 4's orders, its client stack with all filters; traced if ERAS_TRACE is set."""
    identity, orders = _era("identity"), _era("orders")
    instances = (_era("endpoints").Instance("inventory-1", options.url),)
    inventory = _era("stack").client_stack(
        "inventory",
        lambda: instances,
        identity.Identity(identity.read_secret(options.secret), "orders"),
        _era("telemetry").Telemetry("orders"),
        orders.INVENTORY,
    )
    reserve = orders.Orders(None, inventory).reserve
    return lambda order_id: str(reserve(order_id, **ORDER).kind)


def _era(name: str) -> Any:  # an era is found, not known by name
    return importlib.import_module(f"{find.find('4').package}.{name}")


WAYS = {"session": session, "bare": bare, "plain": plain, "stack": stack}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m lab.measure.standins.caller")
    parser.add_argument("how", choices=WAYS)
    parser.add_argument("--url", required=True)
    parser.add_argument("--token", default="")
    parser.add_argument("--secret", type=Path)
    options = parser.parse_args()
    call = WAYS[options.how](options)
    for line in sys.stdin:
        cpu_s, took_s = time.process_time(), []
        for number in range(int(line)):
            began = time.perf_counter()
            outcome = call(f"o-{number}")
            took_s.append(time.perf_counter() - began)
            if outcome != RESERVED:
                raise SystemExit(f"{options.how}: the answer is {outcome!r}, not {RESERVED!r}")
        print(json.dumps({"took_s": took_s, "cpu_s": time.process_time() - cpu_s}), flush=True)


if __name__ == "__main__":
    main()
