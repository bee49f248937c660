"""What may be written into another program's configuration: nothing that could end a word there.

nginx and HAProxy have languages of their own, in which a quote, a brace or a line end changes what
the rest of the file means. Names and addresses come from a registry, so from strangers. What is
not plain is refused, not escaped: no two programs escape alike.
"""

import re
from ipaddress import IPv4Address
from urllib.parse import urlsplit

from era4_framework.config import ConfigError
from era4_framework.config_rules import not_accepted

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")  # of services and instances, as registered
METHOD = re.compile(r"[A-Z]{1,20}")
PREFIX = re.compile(r"/[A-Za-z0-9._~/-]{0,200}")
# Two readers could see two paths in it: nginx and HAProxy pass a path on as it came.
AMBIGUOUS = r"(//|/[.][.]?(/|$)|%2[eEfF]|%5[cC])"
FILE = re.compile(r"/[A-Za-z0-9._@+/-]{1,500}")


def name(text: str, key: str = "name") -> str:
    """The text, if it is a name. Raises ConfigError."""
    return _plain(NAME, text, key, "1 to 64 of A-Z a-z 0-9 . _ -, a letter or digit first")


def method(text: str, key: str) -> str:
    """The text, if it is a method. Raises ConfigError."""
    return _plain(METHOD, text, key, "a method in capitals")


def prefix(text: str, key: str) -> str:
    """The text, if it is the beginning of a path without escapes. Raises ConfigError."""
    return _plain(PREFIX, text, key, "a path of A-Z a-z 0-9 . _ ~ / -")


def file(text: str, key: str) -> str:
    """The text, if it is an absolute path of plain characters. Raises ConfigError."""
    return _plain(FILE, text, key, "an absolute path of A-Z a-z 0-9 . _ @ + / -")


def address(url: str, key: str) -> tuple[str, int]:
    """IP address and port of `http://IP:PORT`, put together anew. Raises ConfigError."""
    accepted = "http://IP:PORT"
    try:
        parts = urlsplit(url)
        host, port = str(IPv4Address(parts.hostname or "")), parts.port
    except ValueError:
        raise not_accepted(key, url, accepted) from None
    if url != f"http://{host}:{port}" or not port:
        raise not_accepted(key, url, accepted)
    return host, port


def app(text: str) -> tuple[str, int] | str:
    """Where the application listens: an address, or the path of its socket. Raises ConfigError."""
    if text.startswith("unix:"):
        return file(text.removeprefix("unix:"), "app")
    return address(text, "app")


def problem(status: int, certain: str) -> str:
    """What the services read of a refusal, as JSON (RFC 9457). certain: true, false or a variable.

    A caller's sidecar may have sent the request before, to somebody who executed it. So nobody but
    that sidecar can be certain; a refusal at the edge has nobody before it.
    """
    members = f'"status":{status},"detail":"sidecar: {status}","outcome":"unavailable"'
    return f'{{"type":"about:blank",{members},"certain":{certain}}}'


def _plain(pattern: re.Pattern[str], text: str, key: str, accepted: str) -> str:
    if not pattern.fullmatch(text):
        raise not_accepted(key, text, accepted)
    return text


__all__ = [
    "AMBIGUOUS",
    "ConfigError",
    "address",
    "app",
    "file",
    "method",
    "name",
    "prefix",
    "problem",
]
