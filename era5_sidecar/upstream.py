"""Who is asked: a service, its instances, and what all requests to it share."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from era4_framework.config import ClientConfig
from era4_framework.policies.backoff import Backoff
from era4_framework.policies.balancer import Balancer
from era4_framework.policies.breaker import Breaker
from era4_framework.policies.budget import RetryBudget
from era5_sidecar.connection import NEVER
from era5_sidecar.dialling import Dialling
from era5_sidecar.discovery import Instance
from era5_sidecar.endpoint import Endpoint


@dataclass(frozen=True)
class Asked:
    """How an upstream is asked. service: whose name its certificates must bear.

    most_connections: in use at once to one instance. endpoints: http://IP:PORT, if nobody tells who
    is there. most_age_s: of a connection; one that is older is not kept.
    """

    service: str
    client: ClientConfig = field(default_factory=ClientConfig)
    most_connections: float = NEVER
    endpoints: tuple[str, ...] = ()
    most_age_s: float = NEVER


class Upstream:
    """A service that is asked: its endpoints, and what all requests to it share."""

    def __init__(
        self,
        name: str,
        told: Asked,
        dialling: Dialling,
        rng: random.Random,
    ) -> None:
        self.name = name
        self.told = told
        self.config = told.client
        self.endpoints: list[Endpoint] = []
        self.why_nobody = f"no instance of {name} is known"
        self.budget = RetryBudget(self.config.retry.budget)
        self.backoff = Backoff(self.config.retry.backoff, rng)
        self.balancer = Balancer(self.config.balancer, rng)
        self.dialling = dialling
        self._rng = rng

    def obey(self, told: Asked) -> None:
        """From now on. What was learned stays as long as the numbers that it was learned by do:
        of an instance, of the retries that were made; connections stay whatever changes.
        """
        before, client = self.config, told.client
        self.told, self.config = told, client
        self.backoff = Backoff(client.retry.backoff, self._rng)
        if client.retry.budget != before.retry.budget:
            self.budget = RetryBudget(client.retry.budget)
        if client.balancer != before.balancer:
            self.balancer = Balancer(client.balancer, self._rng)
        for each in self.endpoints:
            each.most, each.most_age_s = told.most_connections, told.most_age_s
            if client.breaker != before.breaker:
                each.breaker = Breaker(client.breaker)

    def know(self, instances: Sequence[Instance]) -> None:
        """Who is there from now on; who stays keeps what was learned of it."""
        known = {each.instance: each for each in self.endpoints}
        self.endpoints = [
            known[each] if each in known else self._endpoint(each) for each in instances
        ]
        for gone in set(known) - set(instances):
            known[gone].is_gone = True
            known[gone].close()

    def redial(self, dialling: Dialling) -> None:
        """New connections are made so; those that are open end when they are idle."""
        self.dialling = dialling
        for each in self.endpoints:
            each.dialling = dialling
            each.close()

    def retire(self) -> None:
        """Nobody new is led here. Who was, and waits for a body or between two attempts, still
        finds its instances; connections end with what is under way.
        """
        for each in self.endpoints:
            each.is_gone = True
            each.close()

    def _endpoint(self, instance: Instance) -> Endpoint:
        told = self.told
        limits = told.most_connections, told.most_age_s
        return Endpoint(told.service, instance, self.config.breaker, self.dialling, *limits)
