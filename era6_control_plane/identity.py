"""Who is at the other end of a gRPC connection: its certificate says so, and nothing else does.

A certificate of ours names a service twice, for whoever calls it and for whom it calls, and the
instance as its subject. What the peer writes into its messages never says who it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cryptography import x509
from cryptography.x509.oid import NameOID

from era5_sidecar.certificates import LONGEST_LABEL
from era5_sidecar.config_text import is_name
from era6_control_plane.names import AGENT, APP, PILOT, TRUST_DOMAIN

RESERVED = frozenset({PILOT, AGENT, APP, "citadel", "lab", "localhost", "operator"})
# DNS knows no capitals: `Pilot` and `pilot` would be two services with one certificate.
SERVICE = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")


@dataclass(frozen=True)
class Peer:
    """One instance, as a certificate of ours names it.

    serial: of that certificate, hex digits. signed_by: which authority signed it, see
    `key_identifier`. begins_at, ends_at: of its life, in seconds since 1970.
    """

    service: str
    instance: str
    serial: str
    signed_by: str
    begins_at: float
    ends_at: float

    @property
    def name(self) -> tuple[str, str]:
        """Service and instance: what stays when the certificate is another."""
        return self.service, self.instance

    def __str__(self) -> str:
        return f"{self.service}/{self.instance}"


def peer_of(auth_context: Mapping[str, Iterable[bytes]], now: float) -> Peer:
    """Of a connection to the node port: what `context.auth_context()` says.

    now: seconds since 1970. Raises ValueError if it names no instance of ours, or has ended.
    """
    for pem in auth_context.get("x509_pem_cert", ()):
        peer = named_in(pem)
        if now >= peer.ends_at:  # a handshake may be long ago
            raise ValueError(f"the certificate of {peer} has ended")
        return peer
    raise ValueError("the peer has no certificate")


def named_in(pem: bytes) -> Peer:
    """Who is named by a certificate in PEM, whose signature is not judged here.

    Raises ValueError unless it has exactly one SPIFFE ID, the DNS name that goes with it, and an
    instance as its subject (X.509-SVID, section 2: two could be read differently).
    """
    certificate = x509.load_pem_x509_certificate(pem)
    try:
        extensions = certificate.extensions
        names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        signer = extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    except x509.ExtensionNotFound as error:
        raise ValueError(f"a certificate without {error.oid.dotted_string}") from error
    uris = names.get_values_for_type(x509.UniformResourceIdentifier)
    if len(uris) != 1 or not uris[0].startswith(TRUST_DOMAIN):
        raise ValueError(f"accepted: a certificate with one URI, {TRUST_DOMAIN}SERVICE")
    service = uris[0].removeprefix(TRUST_DOMAIN)
    check_service(service)
    if names.get_values_for_type(x509.DNSName) != [service]:
        raise ValueError(f"accepted: a certificate with one DNS name, {service}")
    subjects = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    if len(subjects) != 1 or not is_name(subjects[0].value):
        raise ValueError("accepted: a certificate whose subject is an instance")
    return Peer(
        service,
        str(subjects[0].value),
        f"{certificate.serial_number:x}",
        (signer.key_identifier or b"").hex(),
        certificate.not_valid_before_utc.timestamp(),
        certificate.not_valid_after_utc.timestamp(),
    )


def key_identifier(pem: bytes) -> str:
    """Of an authority: what the certificates that it signs call it. Raises ValueError."""
    extensions = x509.load_pem_x509_certificate(pem).extensions
    return extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest.hex()


def check_service(name: object) -> None:
    """Raises ValueError if no instance may have a certificate with this service's name."""
    if not isinstance(name, str) or not SERVICE.fullmatch(name) or len(name) > LONGEST_LABEL:
        accepted = "1 to 63 of a-z 0-9 . -, as in a DNS name"
        raise ValueError(f"service {str(name)[:80]!r}; accepted: {accepted}")
    if name in RESERVED:
        raise ValueError(f"service {name!r}; accepted: any but {', '.join(sorted(RESERVED))}")


def check_instance(name: object) -> None:
    """Raises ValueError if no instance may be called so."""
    if not is_name(name):
        accepted = "1 to 64 of A-Z a-z 0-9 . _ -, a letter or digit first"
        raise ValueError(f"instance {str(name)[:80]!r}; accepted: {accepted}")
