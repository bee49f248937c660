"""How an agent speaks with the control plane: TLS, a short patience, and words for what failed.

Each connection is a new one, with the certificate of that moment: gRPC would otherwise share one
that was made with an older certificate. Keepalive notices a control plane that hangs (3 s).
"""

from __future__ import annotations

from typing import Any

import grpc
from grpc import StatusCode

from era0_naive.role import host_and_port
from era5_sidecar.certificates import Pair
from era6_control_plane.names import PILOT
from era6_control_plane.words import (
    ATTEND,
    JOIN,
    MESH,
    MOST_BYTES,
    RENEW,
    Application,
    Grant,
    Heartbeat,
    Instruction,
    Kind,
    Renewal,
    Words,
    read,
    written,
)

TIMEOUT_S = 3.0  # for one question
OPTIONS = (
    ("grpc.ssl_target_name_override", PILOT),  # at whatever address: this is who we ask
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.min_reconnect_backoff_ms", 2000),  # so long for TCP and TLS to be there
    ("grpc.keepalive_time_ms", 1000),
    ("grpc.keepalive_timeout_ms", 2000),
    ("grpc.http2.ping_timeout_ms", 2000),  # this is what counts: 60 s unless it is told
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.max_receive_message_length", MOST_BYTES),
    ("grpc.enable_http_proxy", 0),  # that of our service is our own sidecar
)
# Of the servers that answer: else they take keepalive for an attack, and hang up.
SERVER_OPTIONS = (
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 300),
    ("grpc.http2.max_ping_strikes", 0),
    ("grpc.so_reuseport", 0),  # two on one port would each get half of the agents
    ("grpc.server_handshake_timeout_ms", 2000),  # 120 s unless it is told: a file for each stranger
)
# Of the one that strangers may ask: whoever is not served in so long never will be.
JOIN_OPTIONS = (
    *SERVER_OPTIONS,
    ("grpc.max_connection_age_ms", 10_000),
    ("grpc.max_connection_age_grace_ms", 1000),
)
DEFINITE = {  # whoever asks the same again is refused again
    StatusCode.UNAUTHENTICATED,
    StatusCode.PERMISSION_DENIED,
    StatusCode.INVALID_ARGUMENT,
}


class LinkLost(OSError):
    """The control plane was not reached, or did not answer: it may later."""


class Refused(ValueError):
    """It answered, and will not."""


def channel(url: str, believed: bytes, shown: Pair | None = None) -> grpc.aio.Channel:
    """To https://HOST:PORT. believed: authorities in PEM. shown: our certificate and key."""
    host, port = host_and_port(url, "https")
    pair = (shown.key, shown.certificate) if shown else (None, None)
    credentials = grpc.ssl_channel_credentials(believed, *pair)
    return grpc.aio.secure_channel(f"{host}:{port}", credentials, options=OPTIONS)


async def join(url: str, believed: bytes, application: Application) -> Grant:
    """The first certificate. url, believed: as `channel` takes them. Raises LinkLost, Refused."""
    async with channel(url, believed) as opened:
        return await _ask(opened, JOIN, application)


async def renew(url: str, believed: bytes, shown: Pair, renewal: Renewal) -> Grant:
    """The next certificate, for who shows one; otherwise as `join`. Raises LinkLost, Refused."""
    async with channel(url, believed, shown) as opened:
        return await _ask(opened, RENEW, renewal)


class Attending:
    """A stream: heartbeats go out, instructions come in."""

    def __init__(self, opened: grpc.aio.Channel) -> None:
        self._call: Any = opened.stream_stream(f"/{MESH}/{ATTEND}")()

    async def say(self, heartbeat: Heartbeat) -> None:
        """Raises LinkLost, Refused."""
        try:
            await self._call.write(written(heartbeat))
        except grpc.aio.AioRpcError as error:
            raise _as_ours(error) from error
        except grpc.aio.UsageError as error:  # what the other end said first is told by `hear`
            raise LinkLost("the stream has ended") from error

    async def hear(self) -> Instruction | None:
        """The next one; None: the stream has ended in good order. Raises LinkLost, Refused."""
        try:
            body = await self._call.read()
        except grpc.aio.AioRpcError as error:
            raise _as_ours(error) from error
        if body is grpc.aio.EOF:
            return None
        return _read(Instruction, body)

    async def finish(self) -> None:
        """Nothing more will be said."""
        await self._call.done_writing()


async def _ask(opened: grpc.aio.Channel, method: str, words: Words) -> Grant:
    ask: Any = opened.unary_unary(f"/{MESH}/{method}")
    try:
        return _read(Grant, await ask(written(words), timeout=TIMEOUT_S))
    except grpc.aio.AioRpcError as error:
        raise _as_ours(error) from error


def _read(kind: type[Kind], body: bytes) -> Kind:
    try:
        return read(kind, body)
    except ValueError as error:
        raise LinkLost(f"no control plane of ours: {error}") from error


def _as_ours(error: grpc.aio.AioRpcError) -> LinkLost | Refused:
    told = f"{error.code().name.lower()}: {error.details()}"[:300]
    return Refused(told) if error.code() in DEFINITE else LinkLost(told)
