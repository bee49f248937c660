"""A request for a certificate (CSR, RFC 2986): a public key, and proof that its other half is here.

Whatever names are written in it are ignored: who asks does not say who it is, its token or its
present certificate does. The private key never leaves the node.
"""

from __future__ import annotations

import hashlib

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from era5_sidecar.certificates import PEM, Key, PublicKey

MOST_BYTES = 8192
CURVES = ("secp256r1", "secp384r1")  # P-256 and P-384 of FIPS 186-5: what TLS stacks agree on


def new_key() -> Key:
    """A private key, on P-256."""
    return ec.generate_private_key(ec.SECP256R1())


def request(key: Key) -> bytes:
    """The CSR for a key, in PEM, without any names."""
    builder = x509.CertificateSigningRequestBuilder(subject_name=x509.Name([]))
    return builder.sign(key, hashes.SHA256()).public_bytes(PEM)


def checked(csr: bytes) -> PublicKey:
    """The key that a request in PEM is for. Raises ValueError that says what is not accepted."""
    if len(csr) > MOST_BYTES:
        raise ValueError(f"csr of {len(csr)} bytes; accepted: at most {MOST_BYTES}")
    try:
        asked = x509.load_pem_x509_csr(csr)
        key = asked.public_key()
        is_signed = asked.is_signature_valid
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ValueError("csr; accepted: a certificate request in PEM") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name not in CURVES:
        raise ValueError("csr; accepted: one for a key on P-256 or P-384")
    if not is_signed:
        raise ValueError("csr; accepted: one that is signed with its own key")
    return key


def fingerprint(key: PublicKey) -> str:
    """Of a public key: SHA-256 of how it is written down, in hex digits."""
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return hashlib.sha256(key.public_bytes(serialization.Encoding.DER, form)).hexdigest()
