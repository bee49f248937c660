"""What our sidecar is told in a measurement, every policy on; Envoy's equal is made from it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

NEVER_REACHED = 1_000_000  # a quota that is counted and never refuses
LONG_S = 3600.0
USUAL_S = (3.0, 0.5)  # of a whole request, of a try


def outbound(
    folder: Path,
    ports: Sequence[int],
    endpoints: Sequence[int],
    certified: bool = False,
    timeouts_s: tuple[float, float] = USUAL_S,
) -> str:
    """The sidecar of a caller: whom it asks is `inventory`.

    ports: inbound, outbound, admin. timeouts_s: of the whole, and of a try.
    """
    urls = ", ".join(f'"http://127.0.0.1:{each}"' for each in endpoints)
    return f"""
{_common("orders", folder, ports, is_edge=True, certified=certified)}
[outbound]
listen = "http://127.0.0.1:{ports[1]}"
[outbound.services.inventory]
most_connections = 1000
endpoints = [{urls}]
[outbound.services.inventory.client]
deadline_s = {timeouts_s[0]}
try_timeout_s = {timeouts_s[1]}
"""


def inbound(folder: Path, ports: Sequence[int], certified: bool = False) -> str:
    """The sidecar of who is asked: with certificates by `orders`, else by anybody."""
    is_edge = not certified
    return _common("inventory", folder, ports, is_edge=is_edge, certified=certified)


def _common(
    service: str, folder: Path, ports: Sequence[int], is_edge: bool, certified: bool
) -> str:
    caller = "*" if is_edge else "orders"
    tls = f"""
[tls]
certificate = "{folder}/{service}.pem"
key = "{folder}/{service}.key"
authority = "{folder}/authority.pem"
"""
    return f"""
service = "{service}"
instance = "{service}-1"
app = "unix:{folder}/app.sock"
admin_listen = "http://127.0.0.1:{ports[2]}"
[inbound]
listen = "http://127.0.0.1:{ports[0]}"
is_edge = {str(is_edge).lower()}
most_in_flight = 1000
deadline_s = 3.0
[inbound.quotas]
"{caller}" = {{ rate_per_s = {NEVER_REACHED}, burst = {NEVER_REACHED} }}
[[inbound.may]]
callers = ["{caller}"]
method = "GET"
path = "/catalogue"
[[inbound.may]]
callers = ["{caller}"]
method = "*"
path = "/reservations/"
[limits]
idle_s = {LONG_S}
head_s = {LONG_S}
[log]
path = "{folder}/{service}.log"
{tls if certified else ""}
"""
