"""Who calls another service without his sidecar; where each host's kernel sees to it that nobody
does, on a real wire.
"""

import json
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

from lab.wire.divert import MARK, confined, hosts_file, marking
from lab.wire.namespaces import Host
from tests.era5 import strays
from tests.promises.failures import Obeys, Readable
from tests.promises.scenarios.identity import must_not_be_reserved
from tests.promises.trial import Trial

STRAYS = Path(strays.__file__)
DOORS = ("nodes", "join")  # of the control plane: anybody may come, and must say who he is
TIMEOUT_S = 30.0
NOBODY_ANSWERED = ("closed after ''", "heard b''", "Error")
NO_SUCH_SERVICE = "no service of this name"


def a_service_goes_past_its_sidecar(trial: Trial) -> None:
    """First with the rights of orders, who is led to its own sidecar, and names nobody whom that
    knows. Then by one whom no kernel holds: nobody answers what is not TLS. Nor does anybody see
    the other's socket, or the control plane's keys; and on the wire there is nothing else.
    """
    trial.must_place("my-secret-order")
    seen = b"".join(trial.stranger.frames_of_orders())
    if b"my-secret-order" in seen or b"HTTP/1.1" in seen:
        raise Readable("there is something else than TLS on the wire")
    deeds = {f"orders to {' '.join(at)}": ["speak", *at, _call(trial, at)] for at in _places(trial)}
    deeds |= {what: ["see", str(path)] for what, path in _secrets(trial).items()}
    said = dict(zip(deeds, _as_orders(trial, list(deeds.values())), strict=True))
    for at in _places(trial):
        said[f"unhindered to {' '.join(at)}"] = _unhindered(trial, ["marked_ask", str(MARK), *at])
    for what, answer in said.items():
        if not any(told in answer for told in (*NOBODY_ANSWERED, NO_SUCH_SERVICE)):
            raise Obeys(f"{what}: {answer}")
    must_not_be_reserved(trial)
    trial.must_place("afterwards")


def _places(trial: Trial) -> list[tuple[str, str]]:
    """Inventory's sidecar, and the control plane: all that listens on the wire."""
    stage = trial.stage
    urls = [stage.address(f"{trial.instance}-sidecar")]
    urls += [stage.control_plane[name] for name in DOORS]
    return [(at.hostname or "", str(at.port)) for at in map(urlsplit, urls)]


def _secrets(trial: Trial) -> dict[str, Path]:
    stage = trial.stage
    own = {"inventory's socket": Path(stage.address(trial.instance).removeprefix("unix:"))}
    return own | {"the operator's token": stage.secret}


def _call(trial: Trial, at: tuple[str, str]) -> str:
    """In hexadecimal digits, as a stray takes it."""
    body = json.dumps({"sku": trial.sku, "quantity": 1})
    head = ["PUT /reservations/stolen HTTP/1.1", f"Host: {':'.join(at)}", "Connection: close"]
    head += ["Content-Type: application/json", f"Content-Length: {len(body)}", "", body]
    return "\r\n".join(head).encode().hex()


def _as_orders(trial: Trial, deeds: list[list[str]]) -> list[str]:
    stage = trial.stage
    own = Path(stage.address("orders").removeprefix("unix:")).parent
    hide = [own.parent, stage.secret.parent.parent]
    command = [sys.executable, str(STRAYS), json.dumps(deeds)]
    told: list[str] = json.loads(
        _run(stage.wire.orders, confined(command, hosts=hosts_file(["inventory"]), hide=hide))
    )
    return told


def _unhindered(trial: Trial, deed: list[str]) -> str:
    return _run(trial.stage.wire.orders, marking([sys.executable, str(STRAYS), *deed]))


def _run(host: Host, command: list[str]) -> str:
    told = subprocess.run(
        [*host.argv_prefix(), *command], capture_output=True, text=True, timeout=TIMEOUT_S
    )
    assert not told.returncode, f"the stray could not: {told.stderr}"
    return told.stdout.strip()
