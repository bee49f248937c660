"""Who is at the other end: mutual TLS 1.3 between sidecars, from three files that are told.

Era 4 had a secret that all services shared: whoever had it could be anybody. Here each service has
a key of its own, and a certificate says whose it is: `spiffe://seven-eras/inventory` to whom it
calls, and the DNS name `inventory` to whoever calls it. The application sees nothing of this.
"""

from __future__ import annotations

import ssl
from pathlib import Path

from era4_framework.config_rules import ConfigError
from era4_framework.errors import NotKnown
from era5_sidecar.config_sections import TlsConfig
from era5_sidecar.config_text import is_name
from era5_sidecar.last_words import Guard

TRUST_DOMAIN = "spiffe://seven-eras/"


class Identity:
    """Who we are, ready to be shown: to whoever calls, and to whomever is called."""

    __slots__ = ("client", "server")

    def __init__(self, config: TlsConfig) -> None:
        """Raises ConfigError that names the file, never what is in it."""
        self.server = server_context(config)
        self.client = client_context(config)


def server_context(config: TlsConfig) -> ssl.SSLContext:
    """For the inbound listener: callers without a certificate of our authority are refused.

    Raises ConfigError that names the file, never what is in it.
    """
    context = _loaded(Guard(ssl.PROTOCOL_TLS_SERVER), config)
    context.verify_mode = ssl.CERT_REQUIRED
    # A ticket would spare the caller a second handshake, but Python's client keeps none.
    context.num_tickets = 0
    return context


def client_context(config: TlsConfig) -> ssl.SSLContext:
    """For calls: the callee must prove the DNS name that is given as `server_hostname`.

    Raises ConfigError as server_context does.
    """
    return _loaded(
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), config
    )  # which checks certificate and name


def peer_name(connection: ssl.SSLObject | ssl.SSLSocket) -> str:
    """The service at the other end, after the handshake. Raises NotKnown if it does not say.

    A certificate has exactly one SPIFFE ID (X.509-SVID, section 2); two could be read differently.
    """
    certificate = connection.getpeercert() or {}
    names = certificate.get("subjectAltName", ())
    uris = [str(name[1]) for name in names if name[0] == "URI"]
    accepted = f"accepted: a certificate with one URI, {TRUST_DOMAIN}SERVICE"
    if len(uris) != 1 or not uris[0].startswith(TRUST_DOMAIN):
        raise NotKnown(f"the peer says no name; {accepted}")
    name = uris[0].removeprefix(TRUST_DOMAIN)
    if not is_name(name):
        raise NotKnown(f"the peer's name is none; {accepted}")
    return name


def _loaded(context: ssl.SSLContext, config: TlsConfig) -> ssl.SSLContext:
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    # certificates as RFC 5280 has them: Python 3.13 asks for that by itself
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    _load(context, config)
    return context


def _load(context: ssl.SSLContext, config: TlsConfig) -> None:
    _check_readable("tls.authority", config.authority)
    _check_readable("tls.certificate", config.certificate)
    _check_readable("tls.key", config.key)
    try:
        context.load_verify_locations(config.authority)
    except ssl.SSLError as error:
        problem = f"is {config.authority!r}: accepted is an authority's certificate in PEM"
        raise ConfigError("tls.authority", problem) from error
    try:
        context.load_cert_chain(config.certificate, config.key, password=_no_password)
    except (ssl.SSLError, ValueError) as error:
        # which of the two it is OpenSSL does not always say; the key's own path is not told
        reason = str(error) if isinstance(error, ValueError) else error.reason or "no PEM"
        problem = f"is {config.certificate!r}: accepted is a certificate in PEM and its key"
        raise ConfigError("tls.certificate", f"{problem} ({reason})") from error


def _check_readable(key: str, path: str) -> None:
    try:
        Path(path).read_bytes()
    except OSError as error:
        problem = f"names a file that cannot be read ({error.strerror}): accepted is one in PEM"
        raise ConfigError(key, problem) from error


def _no_password() -> str:
    """A key with a password: nobody is there to type it, and OpenSSL would ask the terminal."""
    raise ValueError("the key has a password")
