"""Which certificates are out, and what their holders believe: whom a new authority waits for.

Of an instance all certificates count that have not ended, as an answer may have been lost and the
one before be still in use; when its agent says which it serves, older ones are forgotten.
"""

from __future__ import annotations

import math

from era0_naive.sqlite_file import SqliteFile
from era6_control_plane.identity import Peer
from era6_control_plane.rotation import Holding

SCHEMA = (
    "CREATE TABLE IF NOT EXISTS issued (number INTEGER PRIMARY KEY, serial TEXT NOT NULL UNIQUE,"
    " service TEXT NOT NULL, instance TEXT NOT NULL, signed_by TEXT NOT NULL, ends_at REAL NOT NULL"
    ") STRICT",
    "CREATE TABLE IF NOT EXISTS believer (service TEXT, instance TEXT, believes TEXT NOT NULL,"
    " PRIMARY KEY (service, instance)) STRICT",
    "CREATE TABLE IF NOT EXISTS patience (one INTEGER PRIMARY KEY CHECK (one = 1), until REAL"
    " NOT NULL) STRICT",
)


class Issued:
    """The ledger. Any thread; times are seconds since 1970."""

    def __init__(self, file: SqliteFile) -> None:
        """file: made with SCHEMA."""
        self._file = file
        self._heard: dict[tuple[str, str], tuple[str, str]] = {}  # what is written already

    def add(self, peer: Peer, now: float) -> None:
        """A certificate was given out, or shown by somebody whom we had forgotten."""
        row = (peer.serial, *peer.name, peer.signed_by, peer.ends_at)
        with self._file.transaction():
            self._file.change("DELETE FROM issued WHERE ends_at <= ?", now)
            self._file.change(
                "INSERT OR IGNORE INTO issued (serial, service, instance, signed_by, ends_at)"
                " VALUES (?, ?, ?, ?, ?)",
                *row,
            )

    def confirm(self, peer: Peer, serial: str, believes: str, now: float) -> None:
        """Its agent says which certificate it serves, and the hash of which authorities.

        peer: as the certificate of its stream names it. serial: hex digits. Raises Busy.
        """
        if self._heard.get(peer.name) == (serial, believes):
            return
        with self._file.transaction():
            if serial == peer.serial:  # it may be that we had forgotten it
                self.add(peer, now)
            self._file.change(
                "DELETE FROM issued WHERE service = ? AND instance = ? AND number <"
                " (SELECT number FROM issued WHERE serial = ? AND service = ? AND instance = ?)",
                *peer.name,
                serial,
                *peer.name,
            )
            self._file.change(
                "INSERT OR REPLACE INTO believer VALUES (?, ?, ?)", *peer.name, believes
            )
        self._heard[peer.name] = serial, believes

    def begin_stage(self) -> None:
        """A stage waits no longer than for the certificates that are out as it begins."""
        until = "(SELECT COALESCE(MAX(ends_at), 0.0) FROM issued)"
        self._file.change(f"INSERT OR REPLACE INTO patience VALUES (1, {until})")  # noqa: S608

    def patient_until(self) -> float:
        """When the last one of those ends."""
        rows = self._file.ask("SELECT until FROM patience")
        return float(rows[0][0]) if rows else math.inf

    def holdings(self, now: float) -> list[Holding]:
        """Of everybody who has a certificate that has not ended."""
        rows = self._file.ask(
            "SELECT service, instance, COALESCE(believes, ''), GROUP_CONCAT(DISTINCT signed_by)"
            " FROM issued LEFT JOIN believer USING (service, instance) WHERE ends_at > ?"
            " GROUP BY service, instance ORDER BY service, instance",
            now,
        )
        return [
            Holding(f"{service}/{instance}", believes, frozenset(signed_by.split(",")))
            for service, instance, believes, signed_by in rows
        ]
