"""A line for each request, written many at a time: a log must never be what the request waits for.

    1767225600123 inbound orders PUT /reservations/o-1 200 3100 inventory-1 1 TRACE

These are ten words: when (ms since 1970), direction, caller, method, target, status, how long (us),
instance, attempts, trace; "-" is none.
A full disk, a pipe that nobody reads, a folder that was removed: lines are lost, counted, and said
to be lost once; the proxy lives on. What strangers wrote cannot begin a line of its own.
"""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Callable

from era5_sidecar.config_sections import NOWHERE, STDOUT, LogConfig

MOST_PENDING = 10_000  # lines kept until the next flush
LONGEST_TARGET = 1000
FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
FLAGS |= os.O_NONBLOCK  # of use for a FIFO only: else opening it would wait for a reader
MODE = 0o640


class AccessLog:
    """One for each process. `lost` counts the lines that were not written."""

    def __init__(self, config: LogConfig, say: Callable[[str], None]) -> None:
        """say: told one line for the operator when lines begin to be lost, and when they end to."""
        self.lost = 0
        self._path = config.path
        self._say = say
        self._lines: list[str] = []
        self._file = -1
        self._is_torn = False  # the last line that was written lacks its end
        self._complaint = ""  # why lines are lost now
        self.reopen()

    def add(
        self,
        now: float,
        direction: str,
        caller: str,
        method: str,
        target: str,
        status: int,
        seconds: float,
        instance: str,
        attempts: int,
        trace: str,
    ) -> None:
        """One request has ended. now: seconds since 1970."""
        if self._path == NOWHERE:
            return
        if not (target.isprintable() and method.isalpha()) or " " in target or not target:
            method, target = _one_word(method), _one_word(target)
        self._lines.append(
            f"{int(now * 1000)} {direction} {caller or '-'} {method} {target[:LONGEST_TARGET]}"
            f" {status} {int(seconds * 1e6)} {instance or '-'} {attempts} {trace or '-'}\n"
        )
        if len(self._lines) >= MOST_PENDING:
            self.flush()

    def flush(self) -> None:
        """Writes what has come together, or loses it; raises nothing and waits for nothing."""
        lines, self._lines = self._lines, []
        if not lines:
            return
        if self._file < 0:
            self.reopen()
        before = "\n" if self._is_torn else ""
        raw = (before + "".join(lines)).encode()
        done, why = self._write(raw)
        if done:
            self._is_torn = not raw.endswith(b"\n", 0, done)
        lost = min(len(lines), raw.count(b"\n", done))
        self.lost += lost
        if why:
            self._complain(why)
        elif self._complaint:
            self._say(f"access log {self._path}: written again, {self.lost} lines lost so far")
            self._complaint = ""

    def reopen(self) -> None:
        """Closes the file and opens whatever now has its name: so logs are rotated."""
        self._close_file()
        if self._path == NOWHERE:
            return
        try:
            self._file = _stdout() if self._path == STDOUT else os.open(self._path, FLAGS, MODE)
        except OSError as error:
            self._complain(error.strerror or str(error))

    def close(self) -> None:
        """Writes what is left."""
        self.flush()
        self._close_file()

    def _write(self, raw: bytes) -> tuple[int, str]:
        """Writes as much as goes without waiting: how many bytes, and why not more."""
        done = 0
        try:
            while done < len(raw):
                if not self._has_room():
                    return done, self._complaint or "nobody reads it"
                # so much a pipe takes at once if it takes anything: POSIX, write()
                done += os.write(self._file, raw[done : done + select.PIPE_BUF])
        except OSError as error:
            return done, error.strerror or str(error)
        return done, ""

    def _has_room(self) -> bool:
        if self._file < 0:
            return False
        poll = select.poll()
        poll.register(self._file, select.POLLOUT)
        return bool(poll.poll(0))

    def _complain(self, why: str) -> None:
        if not self._complaint:
            self._say(f"access log {self._path}: {why}; lines are lost until that is mended")
        self._complaint = why

    def _close_file(self) -> None:
        if self._file >= 0:
            os.close(self._file)
        self._file = -1

    def __repr__(self) -> str:
        return f"<AccessLog {self._path or 'nowhere'}, {self.lost} lines lost>"


def _stdout() -> int:
    """A descriptor of our own, so that closing it leaves stdout open."""
    return os.dup(sys.stdout.fileno())


def _one_word(text: str) -> str:
    """In ASCII, and with nothing that would end the word or the line."""
    return ascii(text[:LONGEST_TARGET])[1:-1].replace(" ", "\\x20") or "-"
