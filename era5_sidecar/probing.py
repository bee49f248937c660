"""Asks a proxy, at its admin address, whether it lives: any answer will do, however late.

A process that is there and does nothing more is noticed only so: the kernel still takes connections
for its sockets.
"""

import selectors
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any

QUESTION = "GET /ready HTTP/1.1\r\nHost: {}:{}\r\nConnection: close\r\n\r\n"
MOST_OPEN = 8  # questions without an answer: one may come late


class Probes:
    """Questions under way, in the loop of whoever owns the selector; its keys hold callables."""

    def __init__(
        self,
        selector: selectors.BaseSelector,
        address: tuple[str, int],
        on_answer: Callable[[], None],
        mark: int = 0,
    ) -> None:
        """on_answer: called whenever somebody answers. mark: see transparent.py."""
        self._selector = selector
        self._address = address
        self._question = QUESTION.format(*address).encode()
        self._on_answer = on_answer
        self._mark = mark
        self._open: list[socket.socket] = []

    def ask(self) -> None:
        """One more question."""
        for old in self._open[: 1 - MOST_OPEN]:
            self._forget(old)
        try:
            asked = socket.socket()
        except OSError:  # no more files: then nothing is learned now
            return
        asked.setblocking(False)
        if self._mark:
            asked.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, self._mark)
        asked.connect_ex(self._address)  # what is wrong with it is told when it is written to
        self._selector.register(asked, selectors.EVENT_WRITE, self._send)
        self._open.append(asked)

    def _send(self, asked: Any) -> None:
        self._selector.modify(asked, selectors.EVENT_READ, self._hear)
        try:
            asked.send(self._question)
        except OSError:
            self._forget(asked)

    def _hear(self, asked: Any) -> None:
        with suppress(OSError):
            if asked.recv(64).startswith(b"HTTP/1."):
                self._on_answer()
        self._forget(asked)

    def _forget(self, asked: socket.socket) -> None:
        self._selector.unregister(asked)
        self._open.remove(asked)
        asked.close()
