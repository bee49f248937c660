"""Era 6 as a trial needs it: who is who, and who is there, is asked of its control plane.

Whoever wants a name gets it as an agent does, by a join token, or is signed by a key that he stole.
"""

import http.client
import json
import shutil
import threading
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
from cryptography import x509

from era5_sidecar.certificates import Authority, Pair, key_in_pem
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
from lab.cast.operator import Status, is_in_step
from lab.doors import unix_connection

if TYPE_CHECKING:
    from lab.stage import Stage

ASK_S = 5.0
OBEYED_S = 10.0
HEARTBEAT_S = 0.5
RULER = "pilot"


# ---- who is who


def joined(stage: "Stage", service: str, instance: str) -> Pair:
    """Key and certificate of an instance whom the operator lets in. Raises grpc.RpcError."""
    return apply_with(stage, stage.operator.token_for(service, instance), service, instance)


def apply_with(stage: "Stage", token: str, service: str, instance: str) -> Pair:
    """The same with any token at all."""
    key = new_key()
    asked = Application(token, service, instance, request(key).decode())
    with _channel(stage, "join") as opened:
        ask: Callable[..., Any] = opened.unary_unary(f"/{MESH}/{JOIN}")
        grant = read(Grant, ask(written(asked), timeout=ASK_S))
    return Pair(grant.certificate.encode(), key_in_pem(key))


def stolen_authority(stage: "Stage") -> Authority:
    """The key that signs for this mesh: for certificates that it would never sign."""
    folder = state_of(stage) / "citadel"
    newest = max(int(place.name) for place in folder.iterdir() if place.name.isdecimal())
    return Authority.load(folder / str(newest))


def state_of(stage: "Stage") -> Path:
    """Where the control plane keeps what outlives it."""
    return stage.secret.parent


def make_new(stage: "Stage", instance: str) -> None:
    """Whoever stands beside it, and is dead, knows nothing any more, and has another token."""
    hidden = state_of(stage).parent
    service = instance.partition("-")[0]
    (hidden / f"{instance}.token").write_text(stage.operator.token_for(service, instance))
    shutil.rmtree(hidden / f"{instance}.agent", ignore_errors=True)
    for kept in stage.directory.glob(f".{instance}.node.toml.*"):
        kept.unlink()


# ---- who is there


def listed(stage: "Stage") -> list[str]:
    """The instances of inventory that it tells others of: name and address."""
    endpoints = stage.operator.status()["endpoints"]
    ours = (each for each in endpoints if each["service"] == "inventory")
    return sorted(f"{each['instance']} {each['url']}" for each in ours)


def known_to(stage: "Stage", node: str) -> list[str]:
    """Their names, if this node's proxy has acknowledged all of it; else nobody."""
    status = stage.operator.status()
    if not any(each["node"] == node and is_in_step(each) for each in status["nodes"]):
        return []
    return sorted(e["instance"] for e in status["endpoints"] if e["service"] == "inventory")


def are_in_step(stage: "Stage", *nodes: str) -> bool:
    """Whether the proxies of all these nodes are connected, and have acknowledged everything."""
    status = stage.operator.status()
    return {each["node"] for each in status["nodes"] if is_in_step(each)} >= set(nodes)


@contextmanager
def attended(stage: "Stage", shown: Pair, url: str) -> Iterator[None]:
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


def attend_once(stage: "Stage", shown: Pair | None, url: str) -> None:
    """One heartbeat. Raises grpc.RpcError if it is refused."""
    with _channel(stage, "nodes", shown) as opened:
        call = opened.stream_stream(f"/{MESH}/{ATTEND}")(iter([written(_well(url))]), timeout=ASK_S)
        for _ in call:
            pass


def _well(url: str) -> Words:
    return Heartbeat(url, is_well=True)


def _hear_out(call: Any) -> None:
    with suppress(grpc.RpcError):
        for _ in call:
            pass


def _channel(stage: "Stage", port: str, shown: Pair | None = None) -> grpc.Channel:
    believed = (state_of(stage) / "citadel" / "authorities.pem").read_bytes()
    pair = (shown.key, shown.certificate) if shown else (None, None)
    place = stage.control_plane[port].removeprefix("https://")
    return grpc.secure_channel(place, grpc.ssl_channel_credentials(believed, *pair), OPTIONS)


# ---- what is wanted


def at_the_operator_s_door(
    stage: "Stage", method: str, path: str, headers: Mapping[str, str], body: object = None
) -> tuple[int, str]:
    """Status and text of what is answered to whoever comes with these headers."""
    line = http.client.HTTPConnection("localhost")
    line.sock = unix_connection(Path(stage.operator.address.removeprefix("unix:")), ASK_S)
    with closing(line):
        told = {"Content-Type": "application/json", **headers}
        line.request(method, path, json.dumps(body) if body is not None else None, told)
        answer = line.getresponse()
        return answer.status, answer.read().decode()


def want(stage: "Stage", key: str, value: object) -> Status:
    """Say it, and wait until everybody who is connected obeys."""
    return stage.operator.obeyed(stage.operator.change(key, value), OBEYED_S)


def obeyed(stage: "Stage") -> None:
    """Wait until everybody who is connected obeys what was said last."""
    stage.operator.obeyed(int(stage.operator.status()["revision"]), OBEYED_S)


def introduce(stage: "Stage", service: str, caller: str) -> None:
    """One service more, that this caller may ask anything."""
    want(stage, f"services.{service}.may", [{"callers": [caller], "method": "*", "path": "/"}])


def intent_of(stage: "Stage") -> dict[str, Any]:
    """What is in force, as a table."""
    return tomllib.loads(stage.operator.intent())


def ends_at(certificate: bytes) -> float:
    """When a certificate in DER ends, in seconds since 1970."""
    return x509.load_der_x509_certificate(certificate).not_valid_after_utc.timestamp()
