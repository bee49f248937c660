"""How both ends of a connection prove who they are: read."""

from __future__ import annotations

from typing import Any

from era6_control_plane.reading import Reading, Refused
from era6_control_plane.told import AuthoritiesSaid, PairSaid


def secret(name: str, message: Any) -> PairSaid | AuthoritiesSaid:
    """Our own certificate and key, or whom to believe. message: a Secret.

    Raises Refused, which never says what is in it.
    """
    if message.HasField("tls_certificate"):
        pair = message.tls_certificate
        if pair.private_key.WhichOneof("specifier") not in ("inline_bytes", "inline_string"):
            raise Refused("tls_certificate.private_key: accepted is one inline")
        return PairSaid(_inline(pair.certificate_chain), _inline(pair.private_key))
    if message.HasField("validation_context"):
        return AuthoritiesSaid(_inline(message.validation_context.trusted_ca))
    raise Refused("it is none: accepted is a tls_certificate or a validation_context")


def tls_secrets(common: Reading, accepted: str, matcher: str) -> frozenset[str]:
    """Names of the secrets that a CommonTlsContext asks for. Raises Refused.

    accepted: what the peer's name must be compared with, by `matcher` (exact or prefix).
    """
    with common:
        common.skip("tls_params")  # ours speaks TLS 1.3 and no other
        own = [_secret_of(each) for each in common.each("tls_certificate_sds_secret_configs")]
        with common.within("combined_validation_context") as both:
            believed = _secret_of(both.within("validation_context_sds_secret_config"))
            with both.within("default_validation_context") as default:
                for each in default.each("match_typed_subject_alt_names"):
                    each.skip("san_type")
                    with each, each.within("matcher") as told:
                        if told.take(matcher) != accepted:
                            raise told.refuse(matcher, repr(accepted))
    return frozenset((*own, believed))


def _secret_of(said: Reading) -> str:
    """The name of a secret that the agent serves."""
    said.skip("sds_config")  # there is one agent, and we know where
    with said:
        return str(said.take("name"))


def _inline(source: Any) -> bytes:
    told = source.inline_bytes or source.inline_string.encode()
    if not told:
        raise Refused("a secret that is not inline: accepted is one in PEM")
    return bytes(told)
