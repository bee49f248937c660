"""The intent that is in force, and the only way to another one.

    text -> read and checked -> rehearsed -> a revision on the disk -> told

Whoever is told before the disk has it would know more than the control plane that starts again.
"""

from __future__ import annotations

import threading
import time
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

from era6_control_plane import intent_file
from era6_control_plane.changes import changes, text_diff
from era6_control_plane.history import History, Moved, Revision
from era6_control_plane.intent import Intent

MOST_LETTERS = 200  # of a name or a note
NO_LETTERS = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}  # of Unicode's categories


@dataclass(frozen=True)
class Applied:
    """What came of it.

    revision: the one in force now (a rehearsal's: the one that it was compared with, 0 if there is
    none). changes: in words. is_new: there is a revision more than before; False if the text is
    that of the newest, to the letter.
    """

    revision: int
    changes: tuple[str, ...]
    is_new: bool


class Ruling:
    """What is in force. Any thread may ask and change it."""

    def __init__(
        self,
        history: History,
        told: Callable[[int, Intent], None],
        rehearse: Callable[[Intent], None] = lambda intent: None,
        now: Callable[[], float] = time.time,
    ) -> None:
        """The newest revision is in force at once, but `told` is not called for it.

        told: called with number and intent after each change, by the thread that made it, one at a
        time, in the order of revisions. rehearse: called before, may raise ConfigError or
        ValueError: then nothing has happened. Raises IntentError if what the history has is none.
        """
        self._history = history
        self._told = told
        self._rehearse = rehearse
        self._now = now
        self._turn = threading.Lock()
        newest = history.newest()
        self._in_force = (newest, _read(newest)) if newest else None

    @property
    def intent(self) -> Intent | None:
        """What is in force; None: nothing was ever said."""
        return self._in_force[1] if self._in_force else None

    @property
    def revision(self) -> Revision | None:
        """The same, as it was said."""
        return self._in_force[0] if self._in_force else None

    def apply(
        self,
        text: str,
        who: str,
        note: str = "",
        base: int | None = None,
        is_rehearsal: bool = False,
    ) -> Applied:
        """Puts an intent in force, whole or not at all. is_rehearsal: only tells what would change.

        base: the revision that must be in force (0: none); None: any. Raises IntentError,
        ValueError (rehearse's, who, note), Moved, Busy.
        """
        _check_words("who", who, least=1)
        _check_words("note", note)
        wanted = intent_file.read(text)
        self._rehearse(wanted)
        with self._turn:
            before = self.revision
            number = before.number if before else 0
            if base not in (None, number):
                raise Moved(number, base)
            made = tuple(changes(self.intent, wanted))
            if is_rehearsal or (before and before.text == text):
                return Applied(number, made, is_new=False)
            # another process could have written: then what we have in force is not the newest
            revision = self._history.add(text, who, note, made, number, self._now())
            self._in_force = revision, wanted
            self._told(revision.number, wanted)
        return Applied(revision.number, made, is_new=True)

    def rollback(self, number: int, who: str, note: str = "", base: int | None = None) -> Applied:
        """What revision `number` said, as a new one. As `apply`; raises UnknownRevision, too."""
        old = self._history.revision(number)
        return self.apply(old.text, who, note or f"back to revision {number}", base)

    def diff(self, old: int, new: int | str) -> tuple[str, list[str]]:
        """From a revision (0: nothing) to another one or to a text: unified diff, and in words.

        Raises UnknownRevision, IntentError.
        """
        before = self._history.revision(old) if old else None
        text = new if isinstance(new, str) else self._history.revision(new).text
        name = "intent.toml" if isinstance(new, str) else f"revision {new}"
        after = intent_file.read(text, name)
        words = changes(_read(before) if before else None, after)
        return text_diff(before.text if before else "", text, f"revision {old}", name), words

    def latest(self, limit: int) -> list[Revision]:
        """The newest revisions, the newest first."""
        return self._history.latest(limit)


def _read(revision: Revision) -> Intent:
    return intent_file.read(revision.text, f"revision {revision.number}")


def _check_words(key: str, value: str, least: int = 0) -> None:
    # a space of Chinese is a letter here; what begins a line, or is obeyed by a terminal, is none
    is_line = not any(unicodedata.category(each) in NO_LETTERS for each in value)
    if not least <= len(value) <= MOST_LETTERS or not is_line:
        accepted = f"{least} to {MOST_LETTERS} letters on one line"
        raise ValueError(f"{key} is {value[:60]!r}: accepted is {accepted}")
