"""The intent that is in force, and the only way to another one.

    text -> read and checked -> rehearsed -> a revision on the disk -> told

Whoever is told before the disk has it would know more than the control plane that starts again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from era6_control_plane.history import History, Revision
from era6_control_plane.intent import Intent


@dataclass(frozen=True)
class Applied:
    """revision: the one in force now (a rehearsal's: the one that it was compared with, 0 if there
    is none). changes: in words; is_new: whether there is a revision more than before."""

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
    ) -> None:
        """The newest revision is in force at once, but `told` is not called for it.

        told: called with number and intent after each change, by the thread that made it, one at a
        time, in the order of revisions. rehearse: called before, may raise ConfigError or
        ValueError: then nothing has happened. Raises IntentError if what the history has is none.
        """
        raise NotImplementedError

    @property
    def intent(self) -> Intent | None:
        """What is in force; None: nothing was ever said."""
        raise NotImplementedError

    @property
    def revision(self) -> Revision | None:
        """The same, as it was said."""
        raise NotImplementedError

    def apply(
        self,
        text: str,
        who: str,
        note: str = "",
        base: int | None = None,
        is_rehearsal: bool = False,
    ) -> Applied:
        """Puts an intent in force, whole or not at all.

        Raises IntentError, ValueError (rehearse's, who, note), Moved, Busy.
        """
        raise NotImplementedError

    def rollback(self, number: int, who: str, note: str = "", base: int | None = None) -> Applied:
        """What an old revision said, as a new one. Raises as `apply`, and UnknownRevision."""
        raise NotImplementedError

    def diff(self, old: int, new: int | str) -> tuple[str, list[str]]:
        """From a revision (0: nothing) to another one or to a text: unified diff, and in words.

        Raises UnknownRevision, IntentError.
        """
        raise NotImplementedError
