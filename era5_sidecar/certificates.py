"""Keys and certificates for a shop, made once and by hand: an authority, and one pair per service.

In this era whoever runs the shop makes these files and puts each beside its sidecar; nobody renews
them before they end, and a copied key is good until then. Era 6 answers.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from era5_sidecar.config_text import is_name
from era5_sidecar.tls import TRUST_DOMAIN

LIFE_S = 90 * 86400.0
AUTHORITY_LIFE_S = 3650 * 86400.0
SKEW_S = 300.0  # clocks of two machines do not agree
LONGEST_LABEL = 63  # of a DNS name: RFC 1035, section 2.3.4
PEM = serialization.Encoding.PEM

Key = ec.EllipticCurvePrivateKey
PublicKey = ec.EllipticCurvePublicKey


@dataclass(frozen=True)
class Span:
    """From when to when a certificate is good: seconds since 1970."""

    begins_at: float
    ends_at: float

    @classmethod
    def from_now(cls, life_s: float, begin_s: float = -SKEW_S) -> Span:
        """Both told in seconds from now."""
        now = datetime.now(UTC).timestamp()
        return cls(now + begin_s, now + life_s)


@dataclass(frozen=True)
class Pair:
    """A certificate and the key that belongs to it, both in PEM."""

    certificate: bytes
    key: bytes

    def write(self, folder: Path, name: str) -> None:
        """Into NAME.pem and NAME.key; nobody but the owner may read the key."""
        replace(folder / f"{name}.key", self.key, 0o600)
        replace(folder / f"{name}.pem", self.certificate, 0o644)

    def __repr__(self) -> str:
        return "<Pair>"


class Authority:
    """Whose signature makes a certificate believable."""

    def __init__(self, certificate: x509.Certificate, key: Key) -> None:
        self._certificate = certificate
        self._key = key

    @classmethod
    def new(cls, name: str = "seven-eras", span: Span | None = None) -> Authority:
        """One that signs itself, and may sign services only (RFC 5280, section 4.2.1.9).

        span: AUTHORITY_LIFE_S from now on, if it is not told.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        subject, span = _named(name), span or Span.from_now(AUTHORITY_LIFE_S)
        builder = _builder(subject, subject, key.public_key(), span)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
        builder = builder.add_extension(_usage(key_cert_sign=True, crl_sign=True), True)
        return cls(builder.sign(key, hashes.SHA256()), key)

    @classmethod
    def load(cls, folder: Path) -> Authority:
        """The one that was written there. Raises OSError, or ValueError if it is none."""
        certificate = x509.load_pem_x509_certificate((folder / "authority.pem").read_bytes())
        raw = (folder / "authority.key").read_bytes()
        key = serialization.load_pem_private_key(raw, password=None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise ValueError(f"{folder}/authority.key; accepted: a key on an elliptic curve")
        return cls(certificate, key)

    def pair(self) -> Pair:
        """Its own certificate and key."""
        return Pair(self._certificate.public_bytes(PEM), key_in_pem(self._key))

    def issue(self, service: str, life_s: float = LIFE_S, begin_s: float = -SKEW_S) -> Pair:
        """A pair for a service, good from `begin_s` until `life_s` from now.

        Raises ValueError if the name is none.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        span = Span.from_now(life_s, begin_s)
        return Pair(self.certify(key.public_key(), service, service, span), key_in_pem(key))

    def certify(self, key: PublicKey, service: str, subject: str, span: Span) -> bytes:
        """A certificate in PEM for whoever has the private half of `key`: it may say that it is
        `service`. Raises ValueError if that name is none.
        """
        if not is_name(service) or len(service) > LONGEST_LABEL or "_" in service:
            accepted = "1 to 63 of A-Z a-z 0-9 . -, a letter or digit first"
            raise ValueError(f"service {service!r}; accepted: {accepted}")
        builder = _builder(_named(subject), self._certificate.subject, key, span)
        names = [x509.DNSName(service), x509.UniformResourceIdentifier(TRUST_DOMAIN + service)]
        uses = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), False)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), True)
        builder = builder.add_extension(_usage(digital_signature=True), True)
        builder = builder.add_extension(x509.ExtendedKeyUsage(uses), False)
        signer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        builder = builder.add_extension(signer, False)
        return builder.sign(self._key, hashes.SHA256()).public_bytes(PEM)

    def __repr__(self) -> str:
        return f"<Authority {self._certificate.subject.rfc4514_string()}>"


def main(folder: Path, services: Sequence[str], ready: Callable[[str], None] | None = None) -> None:
    """Writes a pair for each service, and the authority's if it is not there yet."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not (folder / "authority.key").exists():
        Authority.new().pair().write(folder, "authority")
    authority = Authority.load(folder)
    for service in services:
        authority.issue(service).write(folder, service)
    if ready:
        ready(str(folder))


def _builder(
    subject: x509.Name, issuer: x509.Name, key: PublicKey, span: Span
) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder(subject_name=subject, issuer_name=issuer)
    builder = builder.public_key(key).serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(datetime.fromtimestamp(span.begins_at, UTC))
    builder = builder.not_valid_after(datetime.fromtimestamp(span.ends_at, UTC))
    identifier = x509.SubjectKeyIdentifier.from_public_key(key)
    return builder.add_extension(identifier, False)


def _usage(
    digital_signature: bool = False, key_cert_sign: bool = False, crl_sign: bool = False
) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        key_cert_sign=key_cert_sign,
        crl_sign=crl_sign,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def key_in_pem(key: Key) -> bytes:
    """A private key, in clear."""
    form, no_password = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return key.private_bytes(PEM, form, no_password)


def replace(path: Path, content: bytes, mode: int) -> None:
    """Whole or not at all, and never readable by more than `mode` says. Raises OSError."""
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)
    try:
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.write(content)
    except OSError as error:
        error.filename = error.filename or str(path)  # of a disk that is full nobody says where
        raise
    new.replace(path)
