"""Era 6 as a trial needs it: who is who, and who is there, is asked of its control plane.

Whoever wants a name gets it as an agent does, by a join token, or is signed by a key that he stole.
"""

import http.client
import json
import shutil
import tomllib
from collections.abc import Mapping
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryptography import x509

from era5_sidecar.certificates import Authority, Pair
from lab.cast.operator import Status, is_in_step
from lab.doors import unix_connection

if TYPE_CHECKING:
    from lab.stage import Stage

ASK_S = 5.0
OBEYED_S = 10.0
RULER = "pilot"


class Refused(Exception):
    """The control plane will not: the name of gRPC's status code, and why."""

    @property
    def code(self) -> str:
        return str(self.args[0])


# ---- who is who


def joined(stage: "Stage", service: str, instance: str) -> Pair:
    """Key and certificate of an instance whom the operator lets in. Raises Refused."""
    return apply_with(stage, stage.operator.token_for(service, instance), service, instance)


def apply_with(stage: "Stage", token: str, service: str, instance: str) -> Pair:
    """The same with any token at all."""
    from tests.promises import attending  # and gRPC

    return attending.apply_with(stage, token, service, instance)


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


def attended(stage: "Stage", shown: Pair, url: str) -> AbstractContextManager[None]:
    """Somebody says that an instance is at `url` and well, in the name of a certificate."""
    from tests.promises import attending  # and gRPC

    return attending.attended(stage, shown, url)


def attend_once(stage: "Stage", shown: Pair | None, url: str) -> None:
    """One heartbeat. Raises Refused."""
    from tests.promises import attending  # and gRPC

    attending.attend_once(stage, shown, url)


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
