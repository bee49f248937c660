"""What one instance proves itself with, and where it is kept: a folder that only its agent reads.

    credential.json     key, certificate, authorities, in one file: they belong together (0600)
    joining.key         made before the first certificate was asked for (0600): if that answer is
                        lost, the same token is good for this key again

The key was made here and goes nowhere but to the proxy beside us.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from random import Random

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from era5_sidecar.certificates import SKEW_S, Key, Pair, key_in_pem, replace
from era6_control_plane.identity import Peer, named_in
from era6_control_plane.requests_to_sign import fingerprint, new_key
from era6_control_plane.words import Grant

HALF, JITTER = 0.5, 0.05  # of its life: when all began together they shall not renew together
FILE, JOINING = "credential.json", "joining.key"


@dataclass(frozen=True)
class Credential:
    """A key and its certificate, and whom to believe (in PEM)."""

    pair: Pair
    authorities: bytes

    @cached_property
    def peer(self) -> Peer:
        """Whom it names, and until when."""
        return named_in(self.pair.certificate)

    def why_not_good(self, now: float) -> str:
        """Empty, or why nobody believes it at `now`, in seconds since 1970."""
        if now >= self.peer.ends_at:
            return "the certificate has ended, and only a new token can help now"
        if now < self.peer.begins_at:
            return "the certificate has not begun: the clock is wrong, or only a new token can help"
        return ""

    def renew_at(self, rng: Random) -> float:
        """At about half its life, in seconds since 1970."""
        begins_at = self.peer.begins_at + SKEW_S  # it is good a little before it was made
        life_s = self.peer.ends_at - begins_at
        return begins_at + life_s * (HALF + rng.uniform(-JITTER, JITTER))

    def with_authorities(self, pem: bytes) -> Credential:
        """The same one, believing others. Raises ValueError if these are none."""
        x509.load_pem_x509_certificates(pem)
        return Credential(self.pair, pem)


def granted(grant: Grant, key: Key, name: tuple[str, str]) -> Credential:
    """What was asked for, with its key. Raises ValueError if it is something else.

    key: whose public half was in the request. name: service and instance that we are.
    """
    pem = grant.certificate.encode()
    if named_in(pem).name != name:
        raise ValueError(f"a certificate for {named_in(pem)}")
    certified = x509.load_pem_x509_certificate(pem).public_key()
    if not isinstance(certified, ec.EllipticCurvePublicKey):
        raise ValueError("a certificate for another key")
    if fingerprint(certified) != fingerprint(key.public_key()):
        raise ValueError("a certificate for another key")
    return Credential(Pair(pem, key_in_pem(key)), b"").with_authorities(grant.authorities.encode())


class Safe:
    """The folder."""

    def __init__(self, folder: Path) -> None:
        """folder: made if it is not there, and closed to all others. Raises OSError."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
        self._folder = folder

    def kept(self, name: tuple[str, str]) -> Credential | None:
        """What was kept for this service and instance; None: nothing that could be used.

        Raises OSError, but for a file that is not there.
        """
        try:
            table = json.loads((self._folder / FILE).read_bytes())
            pair = Pair(table["certificate"].encode(), table["key"].encode())
            found = Credential(pair, b"").with_authorities(table["authorities"].encode())
            _private_key(pair.key)
        except FileNotFoundError:
            return None
        except (ValueError, LookupError, TypeError, AttributeError):
            return None  # it was kept whole; whoever wrote this was not us
        with suppress(ValueError):
            return found if found.peer.name == name else None
        return None

    def keep(self, credential: Credential) -> None:
        """From now on this one. Raises OSError."""
        table = {
            "certificate": credential.pair.certificate.decode(),
            "key": credential.pair.key.decode(),
            "authorities": credential.authorities.decode(),
        }
        replace(self._folder / FILE, json.dumps(table).encode(), 0o600)
        (self._folder / JOINING).unlink(missing_ok=True)

    def joining_key(self) -> Key:
        """The key of whoever has no certificate yet: the same one until it has. Raises OSError."""
        path = self._folder / JOINING
        with suppress(FileNotFoundError, ValueError):
            return _private_key(path.read_bytes())
        made = new_key()
        replace(path, key_in_pem(made), 0o600)
        return made

    def __repr__(self) -> str:
        return f"<Safe {self._folder}>"


def _private_key(pem: bytes) -> Key:
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except TypeError:  # it has a password
        key = None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError("no key on an elliptic curve")
    return key
