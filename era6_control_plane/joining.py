"""How an instance that has no certificate gets one: its token, asked for until it is good.

The control plane may not be there yet, nor the token's file, nor that of the authorities: whoever
starts all of them cares for no order. A token that was refused is asked again only when its file
says something else.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from pathlib import Path
from random import Random

from era4_framework.config import BackoffConfig
from era4_framework.policies.backoff import Backoff
from era6_control_plane import pilot_link
from era6_control_plane.credential import Credential, Safe, granted
from era6_control_plane.node import NodeConfig
from era6_control_plane.pilot_link import LinkLost, Refused
from era6_control_plane.requests_to_sign import new_key, request
from era6_control_plane.words import Application, Renewal

BACKOFF = BackoffConfig(base_s=0.05, cap_s=1.0)
LOOK_EVERY_S = 0.2  # for a file
MOST_BYTES = 65536


class NotYet(Exception):
    """Something is missing that may come; says what."""


class Joining:
    """Of one node. It says each trouble once."""

    def __init__(self, config: NodeConfig, safe: Safe, rng: Random, say: Callable[[str], None]):
        self._config = config
        self._name = config.service, config.instance
        self._safe = safe
        self._backoff = Backoff(BACKOFF, rng)
        self._say = say
        self._refused = ""  # the hash of a token that is no good
        self._complaint = ""

    async def first(self) -> Credential:
        """Waits as long as it takes."""
        retry = 0
        while True:
            try:
                return await self.try_once()
            except NotYet as error:
                self._complain(str(error))
                await asyncio.sleep(LOOK_EVERY_S)
            except LinkLost as error:
                self._complain(f"control plane at {self._config.pilot.join}: {error}")
                await asyncio.sleep(self._backoff.wait_s(retry))
                retry += 1

    async def try_once(self) -> Credential:
        """One question. Raises NotYet, LinkLost, OSError for a state folder that is none."""
        pilot = self._config.pilot
        if not pilot.token:
            raise NotYet("no certificate that is good, and pilot.token names no file")
        token = _read(pilot.token, "pilot.token").decode("utf-8", "replace").strip()
        believed = _read(pilot.authorities, "pilot.authorities")
        hashed = hashlib.sha256(token.encode()).hexdigest()
        if not token:
            raise NotYet(f"no token in {pilot.token} yet")
        if hashed == self._refused:
            raise NotYet(self._complaint)
        key = self._safe.joining_key()
        asked = Application(token, *self._name, request(key).decode())
        try:
            grant = await pilot_link.join(pilot.join, believed, asked)
            credential = granted(grant, key, self._name)
        except Refused as error:
            self._refused = hashed
            raise NotYet(f"refused ({error}); {pilot.token} must hold another token") from None
        except ValueError as error:
            raise LinkLost(f"no answer of ours: {error}") from None
        self._complaint = ""
        return credential

    async def renewed(self, before: Credential) -> Credential:
        """The next one, with a new key. Raises LinkLost, Refused."""
        key = new_key()
        csr = Renewal(request(key).decode())
        nodes = self._config.pilot.nodes
        grant = await pilot_link.renew(nodes, before.authorities, before.pair, csr)
        try:
            return granted(grant, key, self._name)
        except ValueError as error:
            raise LinkLost(f"no answer of ours: {error}") from None

    def _complain(self, complaint: str) -> None:
        if complaint != self._complaint:
            self._say(complaint)
        self._complaint = complaint


def _read(path: str, key: str) -> bytes:
    try:
        with Path(path).open("rb") as file:
            return file.read(MOST_BYTES)
    except OSError as error:
        raise NotYet(f"waits for {path} ({key}): {error.strerror}") from None
