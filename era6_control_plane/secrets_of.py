"""A credential as the two secrets that a proxy asks for (xDS, type Secret)."""

from __future__ import annotations

from envoy.extensions.transport_sockets.tls.v3.secret_pb2 import Secret

from era6_control_plane.credential import Credential
from era6_control_plane.names import AUTHORITIES, OWN_CERTIFICATE
from era6_control_plane.snapshot import Resource, Snapshot


def secrets_of(credential: Credential) -> Snapshot:
    """Its own certificate with its key, and the authorities that it is to believe."""
    own = Secret(name=OWN_CERTIFICATE)
    own.tls_certificate.certificate_chain.inline_bytes = credential.pair.certificate
    own.tls_certificate.private_key.inline_bytes = credential.pair.key
    believed = Secret(name=AUTHORITIES)
    believed.validation_context.trusted_ca.inline_bytes = credential.authorities
    return Snapshot(Resource.pack(each.name, each) for each in (own, believed))
