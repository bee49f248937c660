"""How a caller is refused over gRPC: a status, and words that say what is accepted."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any, NoReturn

import grpc

from era0_naive.sqlite_file import Busy
from era6_control_plane.identity import Peer, peer_of

LONGEST_REASON = 500
TROUBLE = (sqlite3.Error, OSError, Busy)  # of ours, with the disk: who asks again may be served
Context = grpc.aio.ServicerContext


async def refuse(context: Context[Any, Any], code: grpc.StatusCode, reason: object) -> NoReturn:
    """Ends the call with a status; raises what gRPC wants raised. reason: what is accepted."""
    await context.abort(code, str(reason)[:LONGEST_REASON])
    raise AssertionError("abort returns never")


async def known_peer(context: Context[Any, Any], now: float, say: Callable[[str], None]) -> Peer:
    """Who calls, as its certificate says; who is nobody of ours is refused.

    now: seconds since 1970. say: told of a refusal.
    """
    try:
        return peer_of(context.auth_context(), now)
    except ValueError as error:
        say(f"{context.peer()} refused: {error}")
        await refuse(context, grpc.StatusCode.PERMISSION_DENIED, error)
