"""An instance that is none: its agent says again and again that it is there, and that it is not."""

from __future__ import annotations

import json
import queue
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from lab.cast.operator import Operator

Join: TypeAlias = "grpc.UnaryUnaryMultiCallable[bytes, bytes]"
Attend: TypeAlias = "grpc.StreamStreamMultiCallable[bytes, bytes]"

SERVICE = "inventory"
TIMEOUT_S = 5.0
NAMED = (("grpc.ssl_target_name_override", "pilot"),)


class Phantom:
    """It has joined as every agent does; what it says of itself is somebody else's address."""

    def __init__(self, operator: Operator, listens: Mapping[str, str], name: str) -> None:
        """listens: the control plane's ports, by name. Raises grpc.RpcError, ValueError."""
        self.name = name
        authorities = (operator.token.parent / "citadel" / "authorities.pem").read_bytes()
        key = ec.generate_private_key(ec.SECP256R1())
        asked = {
            "token": operator.token_for(SERVICE, name),
            "service": SERVICE,
            "instance": name,
            "csr": _request(key, name),
        }
        granted = _join(listens["join"], authorities, asked)
        own = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        known = (str(granted["authorities"]).encode(), own, str(granted["certificate"]).encode())
        credentials = grpc.ssl_channel_credentials(*known)
        self._channel = grpc.secure_channel(_place(listens["nodes"]), credentials, NAMED)
        self._words: queue.Queue[bytes | None] = queue.Queue()
        attend: Attend = self._channel.stream_stream("/seven_eras.Mesh/Attend")
        self._stream = attend(self._said())  # kept: a stream that nobody holds ends

    def say(self, is_well: bool, url: str) -> None:
        """That it is there, at this address, or that it is not well."""
        self._words.put(json.dumps({"url": url, "version": "v1", "is_well": is_well}).encode())

    def leave(self) -> None:
        """For good."""
        self._words.put(json.dumps({"leaving": True}).encode())
        self._words.put(None)
        self._channel.close()

    def _said(self) -> Iterator[bytes]:
        while (word := self._words.get()) is not None:
            yield word


def _join(join: str, authorities: bytes, asked: Mapping[str, str]) -> Mapping[str, Any]:
    credentials = grpc.ssl_channel_credentials(authorities)
    with grpc.secure_channel(_place(join), credentials, NAMED) as channel:
        call: Join = channel.unary_unary("/seven_eras.Mesh/Join")
        granted: Mapping[str, Any] = json.loads(call(json.dumps(asked).encode(), timeout=TIMEOUT_S))
    return granted


def _request(key: ec.EllipticCurvePrivateKey, name: str) -> str:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    request = x509.CertificateSigningRequestBuilder().subject_name(subject)
    signed = request.sign(key, hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.PEM).decode()


def _place(url: str) -> str:
    return url.removeprefix("https://")
