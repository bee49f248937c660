"""The commands of a running wire: JSON lines in, one JSON line of answer each.

    {"do": "set", "direction": "there", "knobs": {"loss": 0.1}}       direction: null is both
    {"do": "script", "direction": "back", "fates": ["drop", "deliver"]}
    {"do": "heal", "direction": null}   {"do": "stats"}

A form may have verbs of its own, e.g. {"do": "forward", "to": "udp://127.0.0.1:4000"}. Where there
are several paths, "path": NAME means one of them; without it all are meant.

A refused command changes nothing and is answered with {"error": why}.
"""

from __future__ import annotations

import json
import os
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from lab.wire.core import DIRECTIONS
from lab.wire.knobs import KnobError, Knobs, knobs_from, read_script

Command = dict[str, Any]
Verb = Callable[[Command], object]


class Steerable(Protocol):
    """What has knobs: a line of the wire, or a path of the stream relay."""

    knobs: Knobs
    script: deque[str]  # the fates of the next frames

    @property
    def stats(self) -> dict[str, int]:
        """Counts so far."""


Lines = tuple[Steerable, Steerable]


class Control:
    """Reads commands from one descriptor and writes the answers to another."""

    def __init__(
        self,
        lines: Lines,
        undeliverable: Sequence[int],
        verbs: Mapping[str, Verb],
        commands_fd: int = 0,
        answers_fd: int = 1,
    ) -> None:
        """`undeliverable` counts per direction; `verbs` are those of the form, and may raise
        ValueError or OSError to refuse.
        """
        self._paths = {"": lines}
        self._undeliverable = undeliverable
        self._commands_fd = commands_fd
        self._answers_fd = answers_fd
        self._unread = b""
        self._verbs: dict[str, Verb] = {
            "set": self._set,
            "script": self._script,
            "heal": self._heal,
            "stats": self._stats,
            **verbs,
        }

    def add_path(self, name: str, lines: Lines) -> None:
        """Take one more path under command."""
        self._paths[name] = lines

    def serve(self) -> bool:
        """Obey what has arrived; False when the other side has closed its end."""
        received = os.read(self._commands_fd, 65536)
        *commands, self._unread = (self._unread + received).split(b"\n")
        for command in commands:
            self.answer(self.obey(command))
        return bool(received)

    def answer(self, answer: dict[str, object]) -> None:
        """Write one line of answer."""
        os.write(self._answers_fd, json.dumps(answer).encode() + b"\n")

    def obey(self, text: bytes) -> dict[str, object]:
        """Do one command; return the answer."""
        command = _read_object(text)
        verb = self._verbs.get(str(command.get("do")))
        if not verb:
            accepted = ", ".join(self._verbs)
            return {
                "error": f"command is {text.decode(errors='replace')!r}; accepted: do = {accepted}"
            }
        try:
            return {"ok": verb(command)}
        except (ValueError, TypeError, OSError) as refusal:
            return {"error": str(refusal)}

    def _set(self, command: Command) -> None:
        lines = self._directed(command)
        wished = [knobs_from(command.get("knobs"), line.knobs) for line in lines]
        for line, knobs in zip(lines, wished, strict=True):  # all or, if one refuses, none
            line.knobs = knobs

    def _script(self, command: Command) -> None:
        for port in ports(command.get("direction")):
            # One for all paths: the next fate is that of the next frame, whichever way it takes.
            script = deque(read_script(command.get("fates") or ()))
            for lines in self._chosen(command):
                lines[port].script = script

    def _heal(self, command: Command) -> None:
        for line in self._directed(command):
            line.knobs = replace(line.knobs, partitioned=False)

    def _stats(self, command: Command) -> dict[str, object]:
        chosen = self._chosen(command)
        return {
            name: summed([lines[port].stats for lines in chosen]) | {"undeliverable": count}
            for port, (name, count) in enumerate(zip(DIRECTIONS, self._undeliverable, strict=True))
        }

    def _directed(self, command: Command) -> list[Steerable]:
        return [
            lines[port]
            for lines in self._chosen(command)
            for port in ports(command.get("direction"))
        ]

    def _chosen(self, command: Command) -> list[Lines]:
        name = command.get("path")
        if name is None:
            return list(self._paths.values())
        if name not in self._paths:
            accepted = ", ".join(filter(None, self._paths)) or "none, there is but one"
            raise KnobError(f"path is {name!r}; accepted: {accepted}")
        return [self._paths[name]]


def summed(stats: Sequence[Mapping[str, int]]) -> dict[str, int]:
    """Counts of several lines together."""
    return {name: sum(each[name] for each in stats) for name in stats[0]}


def _read_object(text: bytes) -> Command:
    try:
        command = json.loads(text)
    except ValueError:
        return {}
    return command if isinstance(command, dict) else {}


def ports(direction: object) -> Sequence[int]:
    """The ports of entry that a direction means: "there" 0, "back" 1, None both."""
    if direction is None:
        return (0, 1)
    if direction not in DIRECTIONS:
        accepted = f"{', '.join(DIRECTIONS)} or nothing for both"
        raise KnobError(f"direction is {direction!r}; accepted: {accepted}")
    return (DIRECTIONS.index(direction),)
