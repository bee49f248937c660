"""Ports for programs that cannot tell which one they were given."""

import dataclasses
import socket
from contextlib import ExitStack

from era5_sidecar.config import SidecarConfig


def with_ports(config: SidecarConfig) -> SidecarConfig:
    """Port 0 replaced by a free one: none of the three tells which one it was given."""
    with ExitStack() as held:  # until all are chosen, or one might be chosen twice
        inbound = dataclasses.replace(config.inbound, listen=_free(config.inbound.listen, held))
        admin = _free(config.admin_listen, held)
        outbound = config.outbound
        if outbound:
            outbound = dataclasses.replace(outbound, listen=_free(outbound.listen, held))
    return dataclasses.replace(config, inbound=inbound, outbound=outbound, admin_listen=admin)


def at_same_ports(config: SidecarConfig, before: SidecarConfig) -> SidecarConfig:
    """A newly read file, whose addresses stay those that are listened at."""
    inbound = dataclasses.replace(config.inbound, listen=before.inbound.listen)
    outbound = config.outbound
    if outbound and before.outbound:
        outbound = dataclasses.replace(outbound, listen=before.outbound.listen)
    admin = before.admin_listen
    return dataclasses.replace(config, inbound=inbound, outbound=outbound, admin_listen=admin)


def _free(url: str, held: ExitStack) -> str:
    """Somebody else might take it before the program does; then that says so and ends."""
    host, _, port = url.removeprefix("http://").rpartition(":")
    if port != "0":
        return url
    listener = held.enter_context(socket.create_server((host, 0)))
    return f"http://{host}:{listener.getsockname()[1]}"
