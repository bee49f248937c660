"""Who is who: the authority of the mesh, whom it lets in, and how it is replaced.

After Istio's Citadel. An instance gets in by a token, once, and from then on shows its certificate
to get the next one. What must outlive a crash is in the folder before anybody is told of it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from era0_naive.sqlite_file import SqliteFile
from era5_sidecar.certificates import SKEW_S, Pair, PublicKey, Span, key_in_pem
from era6_control_plane import issued, requests_to_sign, tokens
from era6_control_plane.authorities import Authorities, Signer, hashed
from era6_control_plane.identity import Peer, check_instance, check_service, named_in
from era6_control_plane.names import PILOT
from era6_control_plane.rotation import LEAST_S, Rotation, Stage

OWN_LIFE_S = 86400.0
SCHEMA = (
    *tokens.SCHEMA,
    *issued.SCHEMA,
    "CREATE TABLE IF NOT EXISTS rotation (one INTEGER PRIMARY KEY CHECK (one = 1), number INTEGER"
    " NOT NULL, stage TEXT NOT NULL, since REAL NOT NULL) STRICT",
)


class Citadel:
    """Signs, and lives in a folder of its own. Any thread may use it; times are seconds since 1970.

    `on_change` is told, in whichever thread that is, when `authorities()` is another, or when
    everybody must have a new certificate.
    """

    def __init__(self, folder: Path, now: float, least_s: float = LEAST_S) -> None:
        """Makes an authority if there is none. least_s: of a stage of a replacement.

        Raises OSError, ValueError, Busy.
        """
        self.on_change: Callable[[], None] = lambda: None
        self._turn = threading.RLock()
        self._least_s = least_s
        self._authorities = Authorities(folder)
        self._file = SqliteFile(folder / "citadel.db", SCHEMA)
        self._tokens = tokens.Tokens(self._file)
        self._issued = issued.Issued(self._file)
        self._rotation = self._found(now)
        self._bundle = self._authorities.publish(self._rotation.believed)
        self._authorities.forget_all_but(self._rotation.believed)
        self._own: Pair | None = None
        self._own_from = self._own_until = 0.0
        self._own_by = 0

    def authorities(self) -> bytes:
        """Whose signature makes a certificate believable, now: one or two in PEM."""
        return self._bundle

    def sign(self, csr: bytes, service: str, instance: str, life_s: float, now: float) -> bytes:
        """A certificate in PEM for the key in `csr`. Raises ValueError for what is wrong, Busy."""
        check_service(service)
        check_instance(instance)
        key = requests_to_sign.checked(csr)
        with self._turn, self._file.transaction():
            made = self._certify(key, service, instance, life_s, now)
            self._issued.add(named_in(made), now)
            return made

    def join(
        self, token: str, csr: bytes, service: str, instance: str, life_s: float, now: float
    ) -> bytes:
        """As `sign`, for a token. Raises ValueError, TokenRefused among them, Busy.

        What is wrong with the request does not use up the token.
        """
        key = requests_to_sign.fingerprint(requests_to_sign.checked(csr))
        with self._turn, self._file.transaction():
            self._tokens.redeem(token, service, instance, key, now)
            return self.sign(csr, service, instance, life_s, now)

    def own(self, now: float) -> Pair:
        """The control plane's own certificate and key: the same ones until half their life."""
        with self._turn:
            # a clock that was set back makes it one of the future, which nobody believes
            is_good = self._own_from <= now < self._own_until
            if not self._own or not is_good or self._own_by != self._rotation.signing:
                key = requests_to_sign.new_key()
                made = self._certify(key.public_key(), PILOT, PILOT, OWN_LIFE_S, now)
                self._own = Pair(made, key_in_pem(key))
                self._own_from, self._own_until = now - SKEW_S, now + OWN_LIFE_S / 2
                self._own_by = self._rotation.signing
            return self._own

    def new_token(self, service: str, instance: str, life_s: float, now: float) -> str:
        """Lets one instance in, once, within life_s. Raises ValueError for a name of ours, Busy."""
        return self._tokens.new(service, instance, life_s, now)

    def confirm(self, peer: Peer, serial: str, believes: str, now: float) -> None:
        """An agent says which certificate it serves, and the hash of which authorities.

        peer: as the certificate of its stream names it. serial: hex digits. believes: as
        `authorities.hashed` gives it. Raises sqlite3.Error, Busy.
        """
        self._issued.confirm(peer, serial, believes, now)

    def must_renew(self, peer: Peer) -> bool:
        """Whether its certificate is signed by an authority that soon is believed no more."""
        with self._turn:
            is_old = peer.signed_by != self._signer().identifier
            return is_old and self._rotation.stage is Stage.SIGNING

    def rotate(self, now: float) -> str:
        """Begins to replace the authority; the stage. Raises ValueError if one is under way."""
        with self._turn:
            rotation = self._copy()
            rotation.ask(now)
            self._authorities.make(rotation.number, now)
            self._adopt(rotation)
        self.on_change()
        return rotation.stage.value

    def look(self, now: float) -> bool:
        """Whether the replacement got a stage further; to be asked every second or so."""
        with self._turn:
            rotation = self._copy()
            waits_for = self._waits_for(now) if now < self._issued.patient_until() else ()
            if not rotation.look(waits_for, now):
                return False
            self._adopt(rotation)
        self.on_change()
        return True

    def status(self, now: float) -> dict[str, Any]:
        """{"stage", "since", "authorities": [identifiers], "signing", "waits_for": [instances]}"""
        with self._turn:
            believed = map(self._authorities.signer, self._rotation.believed)
            return {
                "stage": self._rotation.stage.value,
                "since": self._rotation.since,
                "authorities": [each.identifier for each in believed],
                "signing": self._signer().identifier,
                "waits_for": list(self._waits_for(now)),
            }

    def close(self) -> None:
        """Lets go of the file."""
        self._file.close()

    def _certify(
        self, key: PublicKey, service: str, instance: str, life_s: float, now: float
    ) -> bytes:
        signer = self._signer()
        ends_at = min(now + life_s, signer.ends_at)
        if not ends_at > now:
            raise ValueError(f"a certificate for {life_s:g} s; accepted: more than 0 s")
        return signer.authority.certify(key, service, instance, Span(now - SKEW_S, ends_at))

    def _signer(self) -> Signer:
        return self._authorities.signer(self._rotation.signing)

    def _waits_for(self, now: float) -> tuple[str, ...]:
        if self._rotation.stage is Stage.STEADY:
            return ()
        holdings = self._issued.holdings(now)
        return self._rotation.waits_for(holdings, hashed(self._bundle), self._signer().identifier)

    def _found(self, now: float) -> Rotation:
        """Where we were when we ended, however that was."""
        rows = self._file.ask("SELECT number, stage, since FROM rotation")
        if rows:
            number, stage, since = rows[0]
            return Rotation(number, Stage(stage), since, self._least_s)
        number = self._authorities.newest()  # whose signature nodes believe, if only we forgot
        if not number:
            self._authorities.make(number := 1, now)
        self._write(first := Rotation(number, Stage.STEADY, now, self._least_s))
        return first

    def _copy(self) -> Rotation:
        now = self._rotation
        return Rotation(now.number, now.stage, now.since, self._least_s)

    def _adopt(self, rotation: Rotation) -> None:
        """First what may fail (a restart writes it anew), then what a crash must not undo."""
        bundle = self._authorities.publish(rotation.believed)
        self._write(rotation)
        self._rotation, self._bundle = rotation, bundle
        self._authorities.forget_all_but(rotation.believed)

    def _write(self, rotation: Rotation) -> None:
        row = (rotation.number, rotation.stage.value, rotation.since)
        with self._file.transaction():
            self._file.change("INSERT OR REPLACE INTO rotation VALUES (1, ?, ?, ?)", *row)
            self._issued.begin_stage()

    def __repr__(self) -> str:
        return f"<Citadel {self._rotation!r}>"
