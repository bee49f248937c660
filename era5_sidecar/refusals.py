"""Why a handshake came to nothing: in a word to be counted by, and in words for people.

OpenSSL tells a caller's fault and ours by different means: what we do not believe fails in our own
judgement, what the peer does not believe comes as its alert (RFC 8446, section 6.2), which in TLS
1.3 reaches a caller only after the handshake that it took for done.
"""

from __future__ import annotations

import ssl
from typing import NamedTuple

TOO_OLD, NOT_YET = 10, 9  # X509_V_ERR_* of OpenSSL
STRANGER = (2, 7, 18, 19, 20, 21)
OTHER_NAME = (62, 63, 64)
ALERTS = {  # in the reason of an SSLError, whatever stands before it in this version of OpenSSL
    "ALERT_CERTIFICATE_EXPIRED": "it has expired",
    "ALERT_CERTIFICATE_REVOKED": "it is revoked",
    "ALERT_UNKNOWN_CA": "it does not know the authority",
    "ALERT_CERTIFICATE_REQUIRED": "there was none",
    "ALERT_CERTIFICATE_UNKNOWN": "it does not say why",
    "ALERT_BAD_CERTIFICATE": "it is not good, or not good yet",
    "ALERT_UNSUPPORTED_CERTIFICATE": "it is of no use to it",
    "ALERT_ACCESS_DENIED": "it is not let in",
}
NO_TLS = ("HTTP_REQUEST", "WRONG_VERSION_NUMBER", "UNSUPPORTED_PROTOCOL", "PROTOCOL_VERSION")
DAY_S, HOUR_S, MINUTE_S = 86400.0, 3600.0, 60.0


class Refusal(NamedTuple):
    """reason: one word of ours. told: what follows the name of the peer."""

    reason: str
    told: str


def refusal_of(error: BaseException) -> Refusal:
    """What a handshake's error means, or what ended a connection right after it."""
    ours = refused_by_peer(error)
    if ours:
        return Refusal("refused_ours", f"it refused our certificate: {ours}")
    if isinstance(error, ssl.SSLCertVerificationError):
        return _not_believed(error)
    if isinstance(error, TimeoutError) or "taking longer" in str(error):
        return Refusal("too_slow", "it did not end the handshake in time")
    if not isinstance(error, ssl.SSLError):
        return Refusal("gone", "it was gone before the handshake was over")
    reason = _reason(error)
    if "PEER_DID_NOT_RETURN_A_CERTIFICATE" in reason:
        return Refusal("no_certificate", "it has shown no certificate")
    if any(each in reason for each in NO_TLS):
        return Refusal("no_tls", "it does not speak TLS 1.3")
    return Refusal("other", str(error))


def refused_by_peer(error: BaseException | None) -> str:
    """Why the peer did not believe our certificate, as its alert says; empty if it is no such."""
    reason = _reason(error)
    return next((told for alert, told in ALERTS.items() if reason.endswith(alert)), "")


def lasts(seconds: float) -> str:
    """A span for people: `3.2 days`."""
    for unit_s, unit in ((DAY_S, "days"), (HOUR_S, "hours"), (MINUTE_S, "minutes")):
        if seconds >= 2 * unit_s:
            return f"{seconds / unit_s:.1f} {unit}"
    return f"{seconds:.0f} s"


def _reason(error: BaseException | None) -> str:
    return str(getattr(error, "reason", None) or "")


def _not_believed(error: ssl.SSLCertVerificationError) -> Refusal:
    code = error.verify_code
    if code == TOO_OLD:
        return Refusal("expired", "its certificate has expired")
    if code == NOT_YET:
        return Refusal("not_yet_valid", "its certificate is not good yet")
    if code in STRANGER:
        return Refusal("stranger", "its certificate is signed by an authority that we do not know")
    if code in OTHER_NAME:
        return Refusal("other_name", f"its certificate is another's: {error.verify_message}")
    return Refusal("other", f"its certificate is refused: {error.verify_message}")
