"""What an agent says to era 6's control plane, over gRPC, as whoever has a certificate or a token.

A file of its own, imported where it is needed: who runs the other eras need not have gRPC.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import grpc

from era5_sidecar.certificates import Pair, key_in_pem
from era6_control_plane.pilot_link import OPTIONS
from era6_control_plane.requests_to_sign import new_key, request
from era6_control_plane.words import (
    ATTEND,
    JOIN,
    MESH,
    Application,
    Grant,
    Heartbeat,
    Words,
    read,
    written,
)
from lab.stage import Stage
from tests.promises.mesh import Refused, state_of

ASK_S = 5.0
HEARTBEAT_S = 0.5


@contextmanager
def telling_refusals() -> Iterator[None]:
    """Raises Refused instead of what gRPC raises."""
    try:
        yield
    except grpc.RpcError as error:
        raise Refused(error.code().name, error.details()) from error


def apply_with(stage: Stage, token: str, service: str, instance: str) -> Pair:
    """Key and certificate for a token. Raises Refused."""
    key = new_key()
    asked = Application(token, service, instance, request(key).decode())
    with telling_refusals(), _channel(stage, "join") as opened:
        ask: Callable[..., Any] = opened.unary_unary(f"/{MESH}/{JOIN}")
        grant = read(Grant, ask(written(asked), timeout=ASK_S))
    return Pair(grant.certificate.encode(), key_in_pem(key))


@contextmanager
def attended(stage: Stage, shown: Pair, url: str) -> Iterator[None]:
    """Somebody says that an instance is at `url` and well, in the name of a certificate."""
    over = threading.Event()

    def heartbeats() -> Iterator[bytes]:
        while not over.is_set():
            yield written(Heartbeat(url, is_well=True))
            over.wait(HEARTBEAT_S)
        yield written(Heartbeat(leaving=True))

    with _channel(stage, "nodes", shown) as opened:
        call = opened.stream_stream(f"/{MESH}/{ATTEND}")(heartbeats())
        hearing = threading.Thread(target=_hear_out, args=(call,), daemon=True)
        hearing.start()
        try:
            yield
        finally:
            over.set()
            hearing.join(ASK_S)


def attend_once(stage: Stage, shown: Pair | None, url: str) -> None:
    """One heartbeat. Raises Refused."""
    with telling_refusals(), _channel(stage, "nodes", shown) as opened:
        call = opened.stream_stream(f"/{MESH}/{ATTEND}")(iter([written(_well(url))]), timeout=ASK_S)
        for _ in call:
            pass


def _well(url: str) -> Words:
    return Heartbeat(url, is_well=True)


def _hear_out(call: Any) -> None:
    with suppress(grpc.RpcError):
        for _ in call:
            pass


def _channel(stage: Stage, port: str, shown: Pair | None = None) -> grpc.Channel:
    believed = (state_of(stage) / "citadel" / "authorities.pem").read_bytes()
    pair = (shown.key, shown.certificate) if shown else (None, None)
    place = stage.control_plane[port].removeprefix("https://")
    return grpc.secure_channel(place, grpc.ssl_channel_credentials(believed, *pair), OPTIONS)
