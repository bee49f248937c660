"""Our own certificate, judged as our peers will judge it: before it is shown, and while it ages.

OpenSSL takes any pair of certificate and key. Whether others believe them is seen by asking the
same code that they ask: in a handshake with ourselves, in memory.
"""

from __future__ import annotations

import os
import ssl
import stat
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from era4_framework.config_rules import ConfigError
from era4_framework.errors import NotKnown
from era5_sidecar.config_sections import TlsConfig
from era5_sidecar.refusals import NOT_YET, OTHER_NAME, STRANGER, TOO_OLD, lasts
from era5_sidecar.tls import TRUST_DOMAIN, Identity, peer_name

NO_CHECK_TIME = 0x200000  # X509_V_FLAG_NO_CHECK_TIME of OpenSSL, for which ssl has no name
TURNS = 4  # of a handshake in TLS 1.3: caller and callee, twice
WARNS_S = 7 * 86400.0  # before its end; or a tenth of its life, if that is shorter
OTHERS_MAY = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True)
class Term:
    """From when to when a certificate is good: seconds since 1970."""

    begins_at: float
    ends_at: float


def judge(identity: Identity, config: TlsConfig, service: str, now: float) -> Term:
    """How long our certificate is good. now: seconds since 1970.

    Raises ConfigError unless peers will believe that it is this service's.
    """
    _check_private(config.key)
    try:
        _shake(identity, service)
    except ssl.SSLCertVerificationError as error:
        raise _refused(error, identity, config, service, now) from error
    except ssl.SSLError as error:
        raise ConfigError("tls.certificate", f"is {config.certificate!r}: {error}") from error
    ours = _unjudged(identity)
    try:
        name = peer_name(ours)
    except NotKnown as error:
        raise _not_ours(config, service, str(error)) from error
    if name != service:
        raise _not_ours(config, service, f"it is of {TRUST_DOMAIN}{name}")
    return _term(ours)


def term_of(identity: Identity) -> Term | None:
    """How long the certificate is good, whoever believes it; None if it does not say."""
    try:
        return _term(_unjudged(identity))
    except (ssl.SSLError, ValueError):
        return None


def judged(config: TlsConfig, service: str, say: Callable[[str], None] | None = None) -> Identity:
    """Who these files say that we are. Raises ConfigError for what is no certificate, and for one
    that peers will not believe; if somebody hears `say`, this is only said.
    """
    identity = Identity(config)
    try:
        judge(identity, config, service, time.time())
    except ConfigError as error:
        if say is None:
            raise
        say(str(error))
    return identity


class Ageing:
    """Says that our certificate is about to end, and that it has: each once."""

    def __init__(self, say: Callable[[str], None], clock: Callable[[], float] = time.time) -> None:
        """clock: seconds since 1970."""
        self._say = say
        self._clock = clock
        self._term: Term | None = None
        self._said = ""

    def know(self, identity: Identity | None) -> None:
        """This is ours from now on."""
        term = term_of(identity) if identity else None
        if term != self._term:
            self._term, self._said = term, ""

    def left_s(self) -> float | None:
        """Until its end; negative: since then. None: we have no certificate."""
        return self._term.ends_at - self._clock() if self._term else None

    def look(self) -> None:
        """Say what is to be said by now."""
        left_s = self.left_s()
        if self._term is None or left_s is None:
            return
        life_s = self._term.ends_at - self._term.begins_at
        if left_s > min(WARNS_S, life_s / 10):
            return
        said = f"our own certificate ends in {lasts(left_s)}, at {_at(self._term.ends_at)}"
        what = "ends" if left_s > 0 else "has expired"
        if left_s <= 0:
            said = f"our own certificate has expired at {_at(self._term.ends_at)}: peers refuse it"
        if what != self._said:
            self._say(said)
        self._said = what


def _shake(identity: Identity, asked: str | None) -> ssl.SSLObject:
    """The caller's end. asked: whose certificate it wants. Raises SSLError as peers will."""
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    callee = identity.server.wrap_bio(there, back, server_side=True)
    caller = identity.client.wrap_bio(back, there, server_hostname=asked)
    for turn in range(TURNS):
        try:
            (callee if turn % 2 else caller).do_handshake()
        except ssl.SSLWantReadError:
            continue
    return caller


def _unjudged(identity: Identity) -> ssl.SSLObject:
    """The same, where neither time nor name matter."""
    contexts = identity.client, identity.server
    identity.client.check_hostname = False
    for each in contexts:
        each.verify_flags |= NO_CHECK_TIME
    try:
        return _shake(identity, None)
    finally:
        for each in contexts:
            each.verify_flags &= ~NO_CHECK_TIME
        identity.client.check_hostname = True


def _term(ours: ssl.SSLObject) -> Term:
    certificate = ours.getpeercert() or {}
    begins, ends = (str(certificate.get(each, "")) for each in ("notBefore", "notAfter"))
    return Term(ssl.cert_time_to_seconds(begins), ssl.cert_time_to_seconds(ends))


def _refused(
    error: ssl.SSLCertVerificationError,
    identity: Identity,
    config: TlsConfig,
    service: str,
    now: float,
) -> ConfigError:
    if error.verify_code in OTHER_NAME:
        names = (_unjudged(identity).getpeercert() or {}).get("subjectAltName", ())
        return _not_ours(config, service, f"it is of {', '.join(str(name[1]) for name in names)}")
    if error.verify_code in STRANGER:
        problem = f"is {config.certificate!r}, which nobody of tls.authority has signed"
        return ConfigError("tls.certificate", f"{problem}: accepted is one that it has signed")
    if error.verify_code not in (TOO_OLD, NOT_YET):
        return ConfigError("tls.certificate", f"is {config.certificate!r}: {error.verify_message}")
    term = term_of(identity)
    accepted = f"accepted is one that is good now, {_at(now)}"
    if term and now >= term.ends_at:
        when = f"has expired at {_at(term.ends_at)}, {lasts(now - term.ends_at)} ago"
        return ConfigError(
            "tls.certificate", f"is {config.certificate!r}, which {when}: {accepted}"
        )
    if term and now < term.begins_at:
        when = f"is good from {_at(term.begins_at)} on, in {lasts(term.begins_at - now)}"
        return ConfigError(
            "tls.certificate", f"is {config.certificate!r}, which {when}: {accepted}"
        )
    problem = f"is {config.authority!r}: {error.verify_message}; {accepted}"
    return ConfigError("tls.authority", problem)


def _not_ours(config: TlsConfig, service: str, why: str) -> ConfigError:
    accepted = f"accepted is one of {service}, with the URI {TRUST_DOMAIN}{service} and that name"
    return ConfigError("tls.certificate", f"is {config.certificate!r}, and {why}: {accepted}")


def _check_private(key: str) -> None:
    """As ssh has it: a key of our own user that others may read is no secret any more."""
    found = os.stat(key)
    if found.st_uid == os.geteuid() and found.st_mode & OTHERS_MAY:
        problem = f"names a file that others may use (mode {stat.S_IMODE(found.st_mode):04o})"
        raise ConfigError("tls.key", f"{problem}: accepted is one for its owner alone, 0600")


def _at(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"
