"""Join tokens: who brings one may have a certificate for one instance of one service, once.

    ID.SECRET      the ID finds the row, the secret is compared; the row has only the secret's hash

A token that was used is of no use to a thief. Its owner may ask again with the same key, until the
token ends: the first answer may have been lost, and nobody else has what belongs to that key.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets

from era0_naive.sqlite_file import SqliteFile
from era6_control_plane.identity import check_instance, check_service

ID_BYTES = 6
SECRET_BYTES = 32
LONGEST_LIFE_S = 30 * 86400.0
SCHEMA = (
    "CREATE TABLE IF NOT EXISTS token (id TEXT PRIMARY KEY, hash TEXT NOT NULL, service TEXT"
    " NOT NULL, instance TEXT NOT NULL, ends_at REAL NOT NULL, used_by TEXT NOT NULL) STRICT",
)
NOBODY = "0" * 64  # compared with when there is no such token: that takes as long


class TokenRefused(ValueError):
    """Says why, and nothing of what the token or ours look like."""


class Tokens:
    """All tokens that were given out. Any thread, any process; times are seconds since 1970."""

    def __init__(self, file: SqliteFile) -> None:
        """file: made with SCHEMA."""
        self._file = file

    def new(self, service: str, instance: str, life_s: float, now: float) -> str:
        """A token for one instance, good for life_s; known to nobody once it was shown. Raises
        ValueError for what cannot be, Busy.
        """
        check_service(service)
        check_instance(instance)
        if type(life_s) not in (int, float) or not 0 < life_s <= LONGEST_LIFE_S:
            raise ValueError(f"life_s {life_s!r}; accepted: more than 0, up to {LONGEST_LIFE_S:g}")
        name, secret = secrets.token_hex(ID_BYTES), secrets.token_urlsafe(SECRET_BYTES)
        row = (name, _hash(secret), service, instance, now + life_s, "")
        with self._file.transaction():
            self._file.change("DELETE FROM token WHERE ends_at <= ?", now - LONGEST_LIFE_S)
            self._file.change("INSERT INTO token VALUES (?, ?, ?, ?, ?, ?)", *row)
        return f"{name}.{secret}"

    def redeem(self, token: str, service: str, instance: str, key: str, now: float) -> None:
        """Uses it up, for the key with this fingerprint. Raises TokenRefused, Busy.

        Only who has the secret is told more than that the token is none.
        """
        name, _, secret = token.partition(".") if token.isascii() else ("", "", "")
        with self._file.transaction():  # two at once: one of them is the first
            found = self._file.ask(
                "SELECT hash, service, instance, ends_at, used_by FROM token WHERE id = ?", name
            )
            hashed, *names, ends_at, used_by = found[0] if found else (NOBODY, "", "", 0.0, "")
            is_ours = hmac.compare_digest(_hash(secret), hashed) and bool(found)
            if not is_ours:
                raise TokenRefused("the token is none of ours")
            if names != [service, instance]:
                raise TokenRefused("the token is for another instance")
            if now >= ends_at:
                raise TokenRefused("the token has expired")
            if used_by not in ("", key):
                raise TokenRefused("the token was used already")
            self._file.change("UPDATE token SET used_by = ? WHERE id = ?", key, name)


def _hash(secret: str) -> str:
    # 256 random bits need no slow hash: there is nothing to guess
    return hashlib.sha256(secret.encode()).hexdigest()
