"""Era 5's proxy under a ruler: what a client of the control plane knows is put in force as a whole.

While something that is named has not come, or does not fit, everything stays as it was; only who is
there (EDS) is told at once, as it cannot be wrong together with anything.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from era4_framework.config_rules import ConfigError
from era5_sidecar.config import InboundConfig, SidecarConfig
from era5_sidecar.proxy import Proxy
from era5_sidecar.tls import Identity
from era5_sidecar.ways import NO_RULER, Ruling
from era6_control_plane.interpret import Incomplete, Refused, Said, interpret
from era6_control_plane.names import EDS
from era6_control_plane.node import NodeConfig
from era6_control_plane.steering import ByRoutes, label
from era6_control_plane.tls import SHOWN, identity
from era6_control_plane.told import Credentials, Told


class Ruled:
    """One proxy, from the first whole configuration on. `waits_for`: why nothing newer is."""

    def __init__(
        self, node: NodeConfig, inbound: str, rng: random.Random, say: Callable[[str], None]
    ) -> None:
        """inbound: where it listens, as a URL."""
        self.proxy: Proxy | None = None
        self.waits_for = "the agent has not said yet who we are"
        self._node = node
        self._inbound = inbound
        self._rng = rng
        self._say = say
        self._told: Told | None = None
        self._ruling = NO_RULER
        self._credentials: Credentials | None = None
        self._identity: Identity | None = None

    async def obey(self, said: Said, credentials: Credentials | None) -> bool:
        """Puts in force what makes a whole; whether all that is known is in force now.

        said: by type URL and name. credentials: None: the agent has not said them yet.
        """
        try:
            self._prove(credentials)
            await self._put_in_force(interpret(said))
        except Incomplete as error:
            self.waits_for = str(error)
        except (Refused, ConfigError) as error:
            if self.waits_for != str(error):
                self._say(f"{error}; what was said before stays in force")
            self.waits_for = str(error)
        else:
            self.waits_for = ""
        if self.proxy and self._told:
            self._tell_instances(self.proxy, self._told, said)
        return not self.waits_for

    def _prove(self, credentials: Credentials | None) -> None:
        """From now on we are who these say. Raises Incomplete, ConfigError."""
        if credentials is None:
            raise Incomplete("the agent has not said yet who we are")
        if credentials != self._credentials:
            self._identity = identity(*credentials)
            self._credentials = credentials

    async def _put_in_force(self, told: Told) -> None:
        if self.proxy and told == self._told and self._ruling.identity is self._identity:
            return
        config = configured(self._node, self._inbound, told)
        steering = ByRoutes(told.hosts, told.clusters, self._rng)
        ruling = Ruling(
            steering,
            self._identity,
            told.inbound.is_permissive,
            told.admission.served_by,
            told.inbound.most_age_s,
        )
        if self.proxy is None:
            self.proxy = Proxy(config, self._rng, ruling)
        else:
            await self.proxy.apply(config, ruling)
        self._told, self._ruling = told, ruling

    def _tell_instances(self, proxy: Proxy, told: Told, said: Said) -> None:
        there: Mapping[str, Any] = said.get(EDS, {})
        for each in told.clusters.values():
            instances = there.get(each.assignment)
            if instances is not None:
                proxy.outbound.know(label(each), instances)


def configured(node: NodeConfig, inbound: str, told: Told) -> SidecarConfig:
    """What a file would have said in era 5. inbound: where it listens. Raises ConfigError."""
    admission = told.admission
    return SidecarConfig(
        service=node.service,
        instance=node.instance,
        app=told.app.url,
        admin_listen=node.admin_listen,
        inbound=InboundConfig(
            listen=inbound,
            is_edge=told.inbound.is_edge,
            most_in_flight=told.app.most_in_flight,
            deadline_s=admission.deadline_s,
            may=admission.may,
            quotas=admission.quotas,
            settle_s=admission.settle_s,
            drain_s=admission.drain_s,
        ),
        release=node.release,
        mark=node.mark,
        tls=SHOWN,
        limits=told.inbound.limits,
        supervisor=node.supervisor,
    )


def main(config: Path, ready: Callable[[str], None]) -> None:
    """Runs the proxy until it is stopped; `ready` is told where its inbound listener is."""
    from era6_control_plane.life import live  # which puts a whole life around the class above

    live(config, ready)
