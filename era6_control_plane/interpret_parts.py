"""Parts that resources share, read: addresses, and what is said in our own words beside Envoy's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from era4_framework import config_rules
from era4_framework.config_rules import Config, ConfigError
from era5_sidecar.config_text import UNIX
from era6_control_plane.names import BESIDE
from era6_control_plane.reading import Reading, Refused


def url_of(said: Reading) -> str:
    """An Address as era 5 writes it: `unix:PATH` or `http://IP:PORT`. Raises Refused."""
    with said:
        if said.has("pipe"):
            with said.within("pipe") as pipe:
                return f"{UNIX}{pipe.take('path')}"
        with said.within("socket_address") as place:
            ip, port = place.take("address"), place.take("port_value")
            if not ip or not port:
                raise said.refuse("socket_address", "an IP and a port")
            return f"http://[{ip}]:{port}" if ":" in ip else f"http://{ip}:{port}"


def beside_of(said: Reading) -> dict[str, Any]:
    """What is said in our own words."""
    with said.within("metadata") as metadata:
        metadata.skip("typed_filter_metadata")
        told = metadata.by_key("filter_metadata").get(BESIDE)  # others' words are not for us
        return told.all() if told else {}


def config_of(said: Reading, kind: type[Config], key: str, told: Mapping[str, Any]) -> Config:
    """What stands beside at `key`, as one of era 4's or 5's dataclasses; what it leaves out has its
    default. said: the resource. told: what stands there. Raises Refused.
    """
    try:
        return config_rules.read(kind, told, f"{said.at('metadata')}.{BESIDE}.{key}")
    except ConfigError as error:
        raise Refused(str(error)) from error
