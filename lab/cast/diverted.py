"""Services without any other way out or in than their sidecars, on a real wire: transparent.

    orders ── to any address, any port ──▶ orders-sidecar ══▶ the wire ══▶ inventory-1-sidecar, ...
    inventory-1, ... ── to anywhere ──▶ refused: no sidecar on that side calls others

What `http_proxy` asks for is done by each host's kernel here, whether a service asks or not. A
service is started without any right over its network: it finds `inventory` in /etc/hosts, and its
own socket, but neither the sockets nor the keys of others.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from lab.cast.setting import Setting, Variant
from lab.find import Era
from lab.wire.divert import Openings, apply, available_here, confined, hosts_file, marking, port_of
from lab.wire.namespaces import HostError
from lab.wire.process import WireProcess

SERVICES = ["inventory"]  # whom somebody calls


class Diverted:
    """What the kernels of both hosts are told, and how services and sidecars are started there."""

    def __init__(self, setting: Setting, wire: WireProcess, hidden: Sequence[Path]) -> None:
        """hidden: from services. Until a sidecar listens nothing goes out or in.

        Raises HostError.
        """
        self._package = setting.era.package
        self._wire = wire
        self._hidden = list(hidden)
        self._on_wire: dict[str, int] = {}  # ports, by who listens there
        self._doors: tuple[int, ...] = ()  # of the ruler, where everybody may come
        apply(wire.orders, Openings(), is_first=True)
        apply(wire.inventory, Openings(), is_first=True)

    def let_to(self, ports: Sequence[int], for_all: bool) -> None:
        """The ruler listens at these ports of inventory's host. for_all: not only sidecars may ask
        it, as it finds out itself who comes. Raises HostError.
        """
        self._doors = tuple(ports) if for_all else ()
        self._on_wire |= {f"ruler {port}": port for port in ports}
        apply(self._wire.orders, Openings(doors=self._doors))
        apply(self._wire.inventory, Openings(wire=tuple(ports), doors=self._doors))

    def service(self, variant: Variant, folder: Path) -> Variant:
        """The same service without rights. folder: of its own socket, made if it is not there."""
        folder.mkdir(exist_ok=True)
        command = confined(
            self._program(variant),
            hosts=hosts_file(SERVICES),
            hide=[folder.parent, *self._hidden],
            show=[folder],
        )
        return replace(variant, argv=command)

    def sidecar(self, variant: Variant) -> Variant:
        """The same sidecar, with the right to mark what it sends and no other."""
        return replace(variant, argv=marking(self._program(variant)))

    def open(self, instance: str, listens: Mapping[str, str]) -> None:
        """The sidecar of this instance listens: let those in who may come. Raises HostError."""
        inbound = port_of(listens["inbound"])
        if instance == "orders":
            outbound = port_of(listens["outbound"])
            apply(self._wire.orders, Openings(outbound, inside=(inbound,), doors=self._doors))
            return
        self._on_wire[instance] = inbound
        apply(self._wire.inventory, Openings(wire=tuple(self._on_wire.values()), doors=self._doors))

    def _program(self, variant: Variant) -> list[str]:
        return list(variant.argv) or [sys.executable, "-m", self._package]


def require_transparent(era: Era, form: str, proxy: str) -> None:
    """Raises ValueError where it makes no sense, HostError where this machine cannot."""
    if not era.has_sidecars:
        raise ValueError(f"transparent: era {era.number} has no sidecars, era 5 has")
    if form != "real" or (proxy and not era.has_control_plane):
        raise ValueError("transparent: accepted on a real wire, with the era's own sidecar")
    if reason := available_here():
        raise HostError(reason)


def can_divert(era: Era, form: str) -> bool:
    """Whether an era that is made for it can run so here."""
    return era.has_control_plane and form == "real" and not available_here()
