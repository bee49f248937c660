"""The commands of a running wire: JSON lines in, one JSON line of answer each.

    {"do": "set", "direction": "there", "knobs": {"loss": 0.1}}       direction: null is both
    {"do": "script", "direction": "back", "fates": ["drop", "deliver"]}
    {"do": "heal", "direction": null}   {"do": "stats"}

A form may have verbs of its own, e.g. {"do": "forward", "to": "udp://127.0.0.1:4000"}.

A refused command changes nothing and is answered with {"error": why}.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from lab.wire.core import DIRECTIONS
from lab.wire.knobs import KnobError, Knobs, knobs_from

Command = dict[str, Any]
Verb = Callable[[Command], object]


class Steerable(Protocol):
    """What has knobs: a line of the wire, or a path of the stream relay."""

    knobs: Knobs

    def follow(self, fates: Iterable[str]) -> None:
        """Let the next frames meet these fates."""

    @property
    def stats(self) -> dict[str, int]:
        """Counts so far."""


class Control:
    """Reads commands from one descriptor and writes the answers to another."""

    def __init__(
        self,
        lines: tuple[Steerable, Steerable],
        undeliverable: Sequence[int],
        verbs: Mapping[str, Verb],
        commands_fd: int = 0,
        answers_fd: int = 1,
    ) -> None:
        """`undeliverable` counts per direction; `verbs` are those of the form, and may raise
        ValueError to refuse.
        """
        self._lines = lines
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
        except (ValueError, TypeError) as refusal:
            return {"error": str(refusal)}

    def _set(self, command: Command) -> None:
        lines = self._directed(command)
        wished = [knobs_from(command.get("knobs"), line.knobs) for line in lines]
        for line, knobs in zip(lines, wished, strict=True):  # both or, if one refuses, none
            line.knobs = knobs

    def _script(self, command: Command) -> None:
        for line in self._directed(command):
            line.follow(command.get("fates") or ())

    def _heal(self, command: Command) -> None:
        for line in self._directed(command):
            line.knobs = replace(line.knobs, partitioned=False)

    def _stats(self, command: Command) -> dict[str, object]:
        return {
            name: line.stats | {"undeliverable": count}
            for name, line, count in zip(DIRECTIONS, self._lines, self._undeliverable, strict=True)
        }

    def _directed(self, command: Command) -> list[Steerable]:
        return [self._lines[port] for port in ports(command.get("direction"))]


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
