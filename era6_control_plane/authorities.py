"""The authorities of one mesh, in a folder: each in its own, `1`, `2` …, as long as it counts.

authorities.pem      those who are believed now: what a node is given before it joins
1/authority.pem      a certificate
1/authority.key      its key (0600); gone when it signs no more
"""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from cryptography import x509

from era5_sidecar.certificates import AUTHORITY_LIFE_S, SKEW_S, Authority, Span, replace
from era6_control_plane.identity import key_identifier

BUNDLE = "authorities.pem"


class Signer:
    """One authority that can sign. ends_at: in seconds since 1970."""

    def __init__(self, number: int, authority: Authority) -> None:
        self.number = number
        self.authority = authority
        self.pem = authority.pair().certificate
        self.identifier = key_identifier(self.pem)
        self.ends_at = x509.load_pem_x509_certificate(self.pem).not_valid_after_utc.timestamp()

    def __repr__(self) -> str:
        return f"<Signer {self.number}, {self.identifier[:8]}>"


class Authorities:
    """The folder. For one thread at a time."""

    def __init__(self, folder: Path) -> None:
        """folder: made, for nobody else, if it is not there. Raises OSError."""
        self._folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
        self._signers: dict[int, Signer] = {}

    def newest(self) -> int:
        """The number of the one that was made last, as a whole; 0: there is none."""
        whole = [place.parent.name for place in self._folder.glob("*/authority.pem")]
        return max((int(name) for name in whole if name.isdecimal()), default=0)

    def make(self, number: int, now: float) -> None:
        """A new one, written before anybody may count on it. Raises OSError."""
        span = Span(now - SKEW_S, now + AUTHORITY_LIFE_S)
        # a name of its own: two of one name would have to be told apart by their keys
        made = Authority.new(f"seven-eras authority {number}", span)
        place = self._folder / str(number)
        place.mkdir(mode=0o700, exist_ok=True)
        made.pair().write(place, "authority")
        self._signers.pop(number, None)

    def signer(self, number: int) -> Signer:
        """The one of that number. Raises OSError, or ValueError if what is there is none."""
        if number not in self._signers:
            place = self._folder / str(number)
            try:
                self._signers[number] = Signer(number, Authority.load(place))
            except ValueError as error:
                raise ValueError(f"authority {place} is damaged: {error}") from error
        return self._signers[number]

    def publish(self, believed: tuple[int, ...]) -> bytes:
        """These are written down as those who count, and returned in PEM. Raises OSError."""
        bundle = b"".join(self.signer(number).pem for number in believed)
        replace(self._folder / BUNDLE, bundle, 0o644)
        return bundle

    def forget_all_but(self, believed: tuple[int, ...]) -> None:
        """The others are deleted, keys and all. Raises OSError."""
        for place in self._folder.iterdir():
            if place.name.isdecimal() and int(place.name) not in believed:
                shutil.rmtree(place)
                self._signers.pop(int(place.name), None)


def hashed(bundle: bytes) -> str:
    """What an agent says of the authorities that it serves: SHA-256 of their PEM, in hex digits."""
    return hashlib.sha256(bundle).hexdigest()
