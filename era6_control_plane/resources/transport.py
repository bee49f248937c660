"""TLS on both ends, with secrets that the agent serves: nothing in here is one."""

from __future__ import annotations

from envoy.extensions.transport_sockets.tls.v3.tls_pb2 import (
    DownstreamTlsContext,
    UpstreamTlsContext,
)

from era6_control_plane.names import AUTHORITIES, OWN_CERTIFICATE, TRUST_DOMAIN
from era6_control_plane.resources.parts import Json, boxed, secret, spiffe, typed

# Without the upper bound Envoy calls with TLS 1.2 at most.
VERSIONS = {
    "tls_minimum_protocol_version": "TLSv1_3",
    "tls_maximum_protocol_version": "TLSv1_3",
}


def of_callers() -> Json:
    """Who calls shows a certificate, with a name of our trust domain; which one, RBAC judges."""
    told = {
        "require_client_certificate": boxed(True),
        "common_tls_context": _tls({"prefix": TRUST_DOMAIN}),
    }
    return {"name": "tls", "typed_config": typed(DownstreamTlsContext, told)}


def to(service: str) -> Json:
    """Who is called must be that service, wherever the address came from."""
    told = {"sni": service, "common_tls_context": _tls({"exact": spiffe(service)})}
    return {"name": "tls", "typed_config": typed(UpstreamTlsContext, told)}


def _tls(peer: Json) -> Json:
    named = {"match_typed_subject_alt_names": [{"san_type": "URI", "matcher": peer}]}
    return {
        "tls_params": VERSIONS,
        "tls_certificate_sds_secret_configs": [secret(OWN_CERTIFICATE)],
        "combined_validation_context": {
            "default_validation_context": named,
            "validation_context_sds_secret_config": secret(AUTHORITIES),
        },
    }
