"""The operator's command: what is wanted of the mesh, and what has become of it.

eras mesh get > intent.toml             what is in force
eras mesh diff intent.toml              what would change
eras mesh apply intent.toml --wait 5    let it change, and see who obeys
eras mesh status                        who has been told what
eras mesh history                       who wanted what, and when
eras mesh rollback 3                    as it was

The control plane is found by --at or $ERAS_MESH (http://IP:PORT of this machine, or unix:PATH), and
knows us by the token in the file of --token-file or $ERAS_MESH_TOKEN. Exit codes: 0 done, 1 refused
or not obeyed by all, 2 misunderstood or nobody there, 130 interrupted.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from era6_control_plane import mesh_screen
from era6_control_plane.mesh_arguments import STDIN, command_line
from era6_control_plane.mesh_client import ControlPlane, Refused

REFUSED, NOBODY = 1, 2
INTERRUPTED, NOT_READ = 130, 141  # as shells say it, of SIGINT and of SIGPIPE
MOST_BYTES = 8 * 2**20  # of a file; what is accepted is less, and the control plane says how much

Told = Mapping[str, Any]


def main(arguments: Sequence[str], ready: Callable[[str], None]) -> None:
    """Does one thing and ends: 0 done, 1 refused, 2 misunderstood or nobody there."""
    asked = command_line(__doc__ or "").parse_args(arguments)
    try:
        there = ControlPlane(asked.at, asked.token_file)
        is_obeyed = VERBS[asked.verb](asked, there)
        _flush()
    except SystemExit:  # a signal: a role that is told to stop has done well, a command has not
        sys.exit(INTERRUPTED)
    except BrokenPipeError:  # whoever reads what we print, as `head`, has read enough
        _flush_or_drop()
        sys.exit(NOT_READ)
    except Refused as refused:
        print(f"eras mesh {asked.verb}: {mesh_screen.plain(str(refused))}", file=sys.stderr)
        sys.exit(REFUSED)
    except (OSError, ValueError) as error:
        print(f"eras mesh {asked.verb}: {mesh_screen.plain(_words(error))}", file=sys.stderr)
        _flush_or_drop()
        sys.exit(NOBODY)
    sys.exit(0 if is_obeyed else REFUSED)


def _flush() -> None:
    print(end="", flush=True)  # where stdout is closed there is none


def _flush_or_drop() -> None:
    """What cannot be written now is not tried again as Python ends, which would complain."""
    try:
        _flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _words(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename or 'stdout'}: {error.strerror}"
    return str(error)


def _get(asked: argparse.Namespace, there: ControlPlane) -> bool:
    told = there.ask("GET", "/intent")
    print(_json(told) if asked.json else str(told["text"]), end="\n" if asked.json else "")
    if not asked.json:  # apart from the text, which may go into a file
        print(mesh_screen.revision(told), file=sys.stderr)
    return True


def _apply(asked: argparse.Namespace, there: ControlPlane) -> bool:
    said = {"text": _text(asked.file), "who": asked.who, "note": asked.note}
    return _changed(asked, there, "PUT", "/intent", said)


def _rollback(asked: argparse.Namespace, there: ControlPlane) -> bool:
    said = {"revision": asked.revision, "who": asked.who, "note": asked.note}
    return _changed(asked, there, "POST", "/rollback", said)


def _changed(
    asked: argparse.Namespace, there: ControlPlane, method: str, path: str, said: dict[str, Any]
) -> bool:
    if asked.base is not None:
        said["base"] = asked.base
    told = there.ask(method, path, said, _called(getattr(asked, "file", "")))
    if not asked.json:
        print(mesh_screen.applied(told))
        _flush()  # it is done, whoever obeys, and whether or not we hear of it
    status = there.obeyed(told["revision"], asked.wait) if asked.wait else None
    if asked.json:
        print(_json({**told, "status": status} if status else told))
    elif status:
        print(mesh_screen.obedience(status))
    return status is None or mesh_screen.is_obeyed(status)


def _diff(asked: argparse.Namespace, there: ControlPlane) -> bool:
    query = "&".join(
        f"{name}={number}"
        for name, number in (("from", asked.old), ("to", asked.new))
        if number is not None
    )
    if asked.file and asked.new is not None:
        raise ValueError("FILE and --to; accepted: one of them")
    said = {"text": _text(asked.file)} if asked.file else None
    method, name = ("PUT", _called(asked.file)) if said else ("GET", "")
    told = there.ask(method, f"/intent/diff?{query}", said, name)
    if name:  # the control plane calls every text intent.toml
        told["text"] = str(told["text"]).replace("\n+++ intent.toml\n", f"\n+++ {name}\n", 1)
    print(_json(told) if asked.json else mesh_screen.difference(told))
    return True


def _history(asked: argparse.Namespace, there: ControlPlane) -> bool:
    told = there.ask("GET", f"/history?limit={asked.limit}")
    print(_json(told) if asked.json else mesh_screen.history(told))
    return True


def _status(asked: argparse.Namespace, there: ControlPlane) -> bool:
    told = there.ask("GET", "/status")
    if asked.wait:
        told = there.obeyed(told["revision"], asked.wait)
    print(_json(told) if asked.json else mesh_screen.status(told))
    return not asked.wait or mesh_screen.is_obeyed(told)


def _token(asked: argparse.Namespace, there: ControlPlane) -> bool:
    said = {"service": asked.service, "instance": asked.instance, "life_s": asked.life}
    told = there.ask("POST", "/tokens", said)
    print(_json(told) if asked.json else told["token"])
    return True


def _rotate(asked: argparse.Namespace, there: ControlPlane) -> bool:
    told = there.ask("POST", "/authorities/rotate")
    print(_json(told) if asked.json else f"rotation of the authorities: {told['stage']}")
    return True


VERBS: Mapping[str, Callable[[argparse.Namespace, ControlPlane], bool]] = {
    "get": _get,
    "apply": _apply,
    "diff": _diff,
    "history": _history,
    "rollback": _rollback,
    "status": _status,
    "token": _token,
    "rotate": _rotate,
}


def _called(file: str) -> str:
    return "stdin" if file == STDIN else file


def _text(file: str) -> str:
    """What the file says, or stdin. Raises ValueError, OSError."""
    if file == STDIN:
        raw = sys.stdin.buffer.read(MOST_BYTES + 1)
    else:
        with open(file, "rb") as opened:
            raw = opened.read(MOST_BYTES + 1)
    if len(raw) > MOST_BYTES:
        raise ValueError(f"{_called(file)} is longer than {MOST_BYTES} bytes")
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ValueError(f"{_called(file)}, line {line}: the text is no UTF-8") from error


def _json(told: object) -> str:
    return json.dumps(told, indent=1, ensure_ascii=True)
