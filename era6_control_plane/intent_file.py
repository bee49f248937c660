"""Reads an operator's intent: the whole text is checked before anybody is told a word of it."""

from __future__ import annotations

from era4_framework.config_rules import ConfigError
from era6_control_plane.intent import Intent

MOST_BYTES = 2**20


class IntentError(ConfigError):
    """What `key` on this line of an intent says cannot be used."""

    def __init__(self, name: str, line: int, key: str, problem: str) -> None:
        super().__init__(key, problem)
        self.name, self.line = name, line

    def __str__(self) -> str:
        return f"{self.name}, line {self.line}: {self.key} {self.problem}"


def read(text: str | bytes, name: str = "intent.toml") -> Intent:
    """What the text says, if all of it holds together; `name` is what errors call it.

    Raises IntentError, which tells the line, the key, its value and what is accepted.
    """
    raise NotImplementedError
