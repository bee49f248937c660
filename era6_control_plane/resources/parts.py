"""Parts that resources share: addresses, times, where the rest of a configuration comes from.

Resources are written as dictionaries, which protobuf's constructors take: the fields' names are
those of Envoy's documentation, and a name that is none is refused here, not by the proxy. (Its
reader of JSON takes the same, and twenty times as long.)
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Struct

from era5_sidecar.config_text import LONGEST_SOCKET_BYTES, UNIX
from era6_control_plane.names import AGENT, TRUST_DOMAIN

Json = dict[str, Any]

ADS: Json = {"resource_api_version": "V3", "ads": {}}
PLENTY = 100_000  # of what is limited elsewhere
ATTEMPTS = "x-envoy-attempt-count"  # on a request: absent before the first, then its number
CERTAIN = "x-certain"  # on an answer: was the request certainly not executed?


def typed(kind: type[Message], told: Json) -> AnyMessage:
    """A message in the form that says its own kind."""
    packed = AnyMessage()
    packed.Pack(kind(**told), deterministic=True)
    return packed


def struct(told: Mapping[str, Any]) -> Struct:
    """JSON as protobuf has it."""
    made = Struct()
    made.update(dict(told))
    return made


def boxed(value: float) -> Json:
    """Where Envoy tells 0 from nothing said."""
    return {"value": value}


def seconds(value: float) -> timedelta:
    """A duration."""
    return timedelta(seconds=value)


def percent(value: float) -> Json:
    """A share as Envoy counts it, in millionths."""
    return {"numerator": round(value * 10_000), "denominator": "MILLION"}


def header(name: str, value: str) -> Json:
    """A field to be added, in the place of any of that name."""
    field = {"key": name, "value": value}
    return {"header": field, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}


def is_header(name: str, how: Json) -> Json:
    """A condition: the field is there and matches."""
    return {"name": name, "string_match": how}


def spiffe(service: str) -> str:
    """The name in a service's certificate."""
    return TRUST_DOMAIN + service


def place(url: str, is_here: bool = False) -> Json:
    """`http://IP:PORT` or `http://[IPv6]:PORT` as an address. is_here: on loopback only.

    Raises ValueError, which says what is accepted.
    """
    try:
        parts = urlsplit(url)
        ip, port = ip_address(parts.hostname or ""), parts.port
    except ValueError:
        raise _no_place(url, is_here) from None
    host = f"[{ip}]" if ip.version == 6 else str(ip)
    if "%" in url or url != f"http://{host}:{port}" or not port or (is_here and not ip.is_loopback):
        raise _no_place(url, is_here)
    return {"socket_address": {"address": str(ip), "port_value": port}}


def place_of_app(text: str) -> Json:
    """`unix:/PATH`, or `http://IP:PORT` on loopback, as an address. Raises ValueError."""
    path = text.removeprefix(UNIX)
    if path == text:
        return place(text, is_here=True)
    is_short = len(path.encode()) <= LONGEST_SOCKET_BYTES
    if not path.startswith("/") or not path.isprintable() or not is_short:
        accepted = f"unix:/PATH of at most {LONGEST_SOCKET_BYTES} bytes, or http://IP:PORT"
        raise ValueError(f"{text[:200]!r} is no place of a service; accepted: {accepted}")
    return {"pipe": {"path": path}}


def _no_place(url: str, is_here: bool) -> ValueError:
    kind = "a loopback IP" if is_here else "an IP"
    accepted = f"http://IP:PORT with {kind} and a port from 1 to 65535"
    return ValueError(f"{url[:200]!r} is no address; accepted: {accepted}")


def secret(name: str) -> Json:
    """Where a certificate or the authorities come from: the agent on the same host."""
    grpc = {"envoy_grpc": {"cluster_name": AGENT}}
    source = {
        "api_type": "GRPC",
        "transport_api_version": "V3",
        "set_node_on_first_message_only": True,
        "grpc_services": [grpc],
    }
    config = {"resource_api_version": "V3", "api_config_source": source}
    return {"name": name, "sds_config": config}
