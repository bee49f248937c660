"""An instance's place in the registry: taken, kept by heartbeats, given back.

The application does not know that there is a registry. One that dies cannot say so: its sidecar
gives the place back, and if that dies too, the lease runs out.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from era4_framework.config_rules import ConfigError
from era5_sidecar.asking import ask
from era5_sidecar.config import InboundConfig, RegistryConfig
from era5_sidecar.discovery import REGISTRY_TIMEOUT_S

PATIENCE_S = 5.0  # with a registry that is not there when a lease is taken
PAUSE_S = 0.1
TOKEN_S = 60
LEAST_SECRET_BYTES = 32  # RFC 7518, section 3.2: as long as the hash


class Lease:
    """Taken while the application answers, given back when it does not."""

    def __init__(
        self,
        registry: RegistryConfig,
        service: str,
        instance: str,
        inbound: InboundConfig,
        url: str,
        say: Callable[[str], None],
    ) -> None:
        """url: where we listen; `inbound.advertise` comes first. say: told one line of trouble.

        Raises ConfigError if the secret cannot be used.
        """
        self.is_held = False
        self._secret = read_secret(registry.secret)
        self._registry = registry
        self._service = service
        self._heartbeat_s = inbound.heartbeat_s
        self._target = f"/services/{quote(service)}/{quote(instance, safe='')}"
        lease = {"url": inbound.advertise or url, "lease_s": inbound.lease_s}
        self._body = json.dumps(lease).encode()
        self._say = say
        self._heart: asyncio.Task[None] | None = None

    async def take(self) -> None:
        """Registers, and goes on renewing; waits a while for a registry that is not there.

        Raises ValueError if the registry refuses.
        """
        if self._heart:
            return
        until = time.monotonic() + PATIENCE_S
        while (complaint := await self._tell("PUT", self._body)) and time.monotonic() < until:
            await asyncio.sleep(PAUSE_S)
        if complaint:
            self._say(f"registry: {complaint} for {PATIENCE_S:g} s; it is told again and again")
        self._heart = asyncio.create_task(self._keep(complaint))

    async def give_back(self) -> None:
        """Nobody new is to come; the registry may be dead."""
        if not self._heart:
            return
        await self.stop()
        try:
            await self._tell("DELETE", b"")
        except ValueError as error:
            self._say(str(error))

    async def stop(self) -> None:
        """Renews no more, and leaves the lease as it is: a successor holds it now."""
        heart, self._heart, self.is_held = self._heart, None, False
        if heart:
            heart.cancel()  # its last beat must not undo what comes now
            await asyncio.gather(heart, return_exceptions=True)

    async def _keep(self, before: str) -> None:
        while True:
            await asyncio.sleep(self._heartbeat_s)
            try:
                complaint = await self._tell("PUT", self._body)
            except ValueError as error:  # it accepted this before: it may again
                complaint = str(error)
            if complaint != before:
                self._say(f"registry: {complaint or 'renewed again'}")
                before = complaint

    async def _tell(self, method: str, body: bytes) -> str:
        """Empty, or why the registry did not hear it. Raises ValueError if it refused."""
        told = {"Authorization": f"Bearer {token(self._secret, self._service, time.time())}"}
        self.is_held = False
        try:
            url, patience_s = self._registry.url, REGISTRY_TIMEOUT_S
            status, answer = await ask(url, method, self._target, patience_s, told, body)
        except (OSError, ValueError) as error:
            return f"{type(error).__name__} {error}".strip()
        if 400 <= status < 500:
            raise ValueError(f"the registry refused: {_detail(answer) or status}")
        self.is_held = status == 200 and method == "PUT"
        return "" if status == 200 else f"status {status}"

    def __repr__(self) -> str:
        return f"<Lease of {self._target}, {'held' if self.is_held else 'not held'}>"


def read_secret(path: str) -> bytes:
    """What tokens are signed with: the file's bytes without the white space around them.

    Raises ConfigError that tells nothing of what is in it.
    """
    accepted = f"accepted is one of at least {LEAST_SECRET_BYTES} bytes, as 64 hex digits"
    try:
        secret = Path(path).read_bytes().strip()
    except OSError as error:
        problem = f"names a file that cannot be read ({error.strerror}): {accepted}"
        raise ConfigError("registry.secret", problem) from error
    if len(secret) < LEAST_SECRET_BYTES:
        raise ConfigError("registry.secret", f"names a file of {len(secret)} bytes: {accepted}")
    return secret


def token(secret: bytes, service: str, now: float) -> str:
    """Says to the registry who asks: a JWT (RFC 7519), HS256, from `now` on for a minute.

    Signing one is two lines, and PyJWT costs 20 MB in each proxy; judging one is what nobody should
    write by hand, and the registry does not.
    """
    claims = {"sub": service, "aud": "registry", "iat": int(now), "exp": int(now + TOKEN_S)}
    signed = f"{_base64({'alg': 'HS256', 'typ': 'JWT'})}.{_base64(claims)}"
    digest = hmac.new(secret, signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{_unpadded(digest)}"


def _base64(table: dict[str, Any]) -> str:
    return _unpadded(json.dumps(table).encode())


def _unpadded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _detail(answer: bytes) -> str:
    """Of a problem (RFC 9457); empty if it has none that can be shown."""
    try:
        detail = json.loads(answer)["detail"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return ""
    return ascii(str(detail))[1:-1][:200]
