"""The commands of a running wire: JSON lines in, one JSON line of answer each.

    {"do": "set", "direction": "there", "knobs": {"loss": 0.1}}       direction: null is both
    {"do": "script", "direction": "back", "fates": ["drop", "deliver"]}
    {"do": "stats"}   {"do": "heal"}   {"do": "forward", "to": "udp://127.0.0.1:4000"}

A refused command changes nothing and is answered with {"error": why}.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from lab.wire.core import DIRECTIONS, Line
from lab.wire.knobs import NAMES, KnobError

Command = dict[str, Any]


class Control:
    """Reads commands from one descriptor and writes the answers to another."""

    def __init__(
        self,
        lines: tuple[Line, Line],
        forward: Callable[[str], None],
        undeliverable: Sequence[int],
        commands_fd: int = 0,
        answers_fd: int = 1,
    ) -> None:
        """`forward` names inventory's address (portable form) and may raise ValueError.

        `undeliverable` is the pump's count, per direction.
        """
        self._lines = lines
        self._forward = forward
        self._undeliverable = undeliverable
        self._commands_fd = commands_fd
        self._answers_fd = answers_fd
        self._unread = b""
        self._verbs: dict[str, Callable[[Command], object]] = {
            "set": self._set,
            "script": self._script,
            "heal": self._heal,
            "forward": lambda command: self._forward(str(command.get("to"))),
            "stats": self._stats,
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
        try:
            command = json.loads(text)
            if not isinstance(command, dict) or command.get("do") not in self._verbs:
                raise ValueError(f"command is {text!r}; accepted: do = {', '.join(self._verbs)}")
            return {"ok": self._verbs[command["do"]](command)}
        except (ValueError, TypeError) as refusal:
            return {"error": str(refusal)}

    def _set(self, command: Command) -> None:
        changes = command.get("knobs") or {}
        for name in changes:
            if name not in NAMES:
                raise KnobError(f"knob is {name!r}; accepted: {', '.join(NAMES)}")
        lines = self._directed(command)
        for line, knobs in [(line, replace(line.knobs, **changes)) for line in lines]:
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

    def _directed(self, command: Command) -> list[Line]:
        direction = command.get("direction")
        if direction is None:
            return list(self._lines)
        if direction not in DIRECTIONS:
            accepted = f"{', '.join(DIRECTIONS)} or nothing for both"
            raise KnobError(f"direction is {direction!r}; accepted: {accepted}")
        return [self._lines[DIRECTIONS.index(direction)]]
