"""What one can say to a mesh, or ask about it, among the commands of a running shop.

mesh status          mesh apply intents/canary.toml --wait 5        (the operator's)
served               ask 20 /catalogue x-canary=yes                 (who answers?)
"""

from __future__ import annotations

from http.client import HTTPException

from lab.served import MOST_ASKED, Served, headers_of
from lab.spans import spans
from lab.stage import Stage
from lab.vocabulary import BadCommand


class MeshCommands:
    """Obeys them on one stage; who it is that they are typed to knows the other commands."""

    def __init__(self, stage: Stage, patience_s: float) -> None:
        """patience_s: how long to wait for an answer."""
        self._stage = stage
        self._patience_s = patience_s
        self._served = Served(stage)

    def forget(self) -> None:
        """Who has served until now is not counted any more."""
        self._served = Served(self._stage)

    def obey(self, words: list[str]) -> str:
        """What came of it. Raises BadCommand."""
        try:
            match words:
                case ["mesh", _, *_]:
                    return self._stage.operate(words[1:])
                case ["served"]:
                    return self._served.told()
                case ["spans", order]:
                    return spans(self._stage.trace(), order)
                case ["ask", number, path, *headers]:
                    return self._ask(number, path, headers)
        except (ValueError, OSError, HTTPException) as wrong:
            raise BadCommand(str(wrong) or repr(wrong)) from wrong
        accepted = "mesh VERB ..., served, spans ORDER, ask N PATH [NAME=VALUE ...]"
        raise BadCommand(f"{' '.join(words)!r}; accepted: {accepted}")

    def _ask(self, number: str, path: str, headers: list[str]) -> str:
        if not number.isdecimal() or not 1 <= int(number) <= MOST_ASKED:
            raise BadCommand(f"ask {number!r}; accepted: a number from 1 to {MOST_ASKED}")
        if self._stage.form == "real":
            raise BadCommand(
                "ask: orders' sidecar is in a host of its own; accepted: --wire portable"
            )
        return self._served.ask(int(number), path, headers_of(headers), self._patience_s)
