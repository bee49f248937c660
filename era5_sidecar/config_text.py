"""What the text in a sidecar's file may be: names, addresses, paths.

The same kind of rule as era 4's for numbers; all raise ConfigError with key, value and what is
accepted.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from ipaddress import ip_address

from era0_naive.role import host_and_port
from era4_framework.config_rules import not_accepted

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")  # as the registry has it
PATH = re.compile(r"/[A-Za-z0-9._~!$&'()*+,;=:@/-]*")  # RFC 3986, section 3.3, nothing escaped
NOT_NORMAL = re.compile(r"//|/\.{1,2}(/|$)")
LONGEST_SOCKET_BYTES = 103  # sun_path of macOS; Linux takes 107
UNIX = "unix:"


def require_name(config: object, key: str) -> None:
    """The value of `key` is the name of a service or an instance."""
    value = getattr(config, key)
    if not is_name(value):
        accepted = "1 to 64 of A-Z a-z 0-9 . _ -, a letter or digit first"
        raise not_accepted(key, value, accepted)


def is_name(value: object) -> bool:
    """Whether a service or an instance may be called so."""
    return isinstance(value, str) and bool(NAME.fullmatch(value))


def require_flag(config: object, key: str) -> None:
    """The value of `key` is true or false, and no number."""
    if type(getattr(config, key)) is not bool:
        raise not_accepted(key, getattr(config, key), "true or false")


def require_text(config: object, key: str, accepted: str) -> None:
    """The value of `key` is text on one line, and there is some."""
    value = getattr(config, key)
    if not isinstance(value, str) or not value or not value.isprintable():
        raise not_accepted(key, value, accepted)


def require_file(config: object, key: str) -> None:
    """The value of `key` is a path; whether something is there is seen when it is read."""
    require_text(config, key, "the path of a file")


def require_path(config: object, key: str) -> None:
    """The value of `key` is the path of a URL as RFC 3986, section 6, would write it."""
    value = getattr(config, key)
    is_path = isinstance(value, str) and PATH.fullmatch(value) and not NOT_NORMAL.search(value)
    if not is_path:
        raise not_accepted(key, value, "a path as /orders/, with no // and nothing escaped in it")


def require_address(config: object, key: str, least_port: int = 0, loopback: bool = False) -> None:
    """The value of `key` is http://IP:PORT, and of this machine only if `loopback`."""
    check_address(getattr(config, key), key, least_port, loopback)


def check_address(value: object, key: str, least_port: int = 1, loopback: bool = False) -> None:
    """`value` is http://IP:PORT: a name would be looked up, and that has no time limit."""
    try:
        host, _ = host_and_port(value, "http", least_port)  # type: ignore[arg-type]
        is_accepted = ip_address(host).is_loopback or not loopback
    except (TypeError, ValueError):
        is_accepted = False
    if not is_accepted:
        kind = "a loopback IP such as 127.0.0.1" if loopback else "an IP"
        accepted = f"http://IP:PORT with {kind} and a port from {least_port} to 65535"
        raise not_accepted(key, value, accepted)


def check_distinct(listens: Mapping[str, str]) -> None:
    """No two listen at one address; of port 0 each takes another. listens: address by key."""
    taken: dict[str, str] = {}
    for key, address in listens.items():
        if address in taken and not address.endswith(":0"):
            raise not_accepted(key, address, f"another address than {taken[address]}")
        taken[address] = key


def require_url(config: object, key: str) -> None:
    """The value of `key` is http://HOST:PORT, where the host may be a name."""
    try:
        host_and_port(getattr(config, key), "http")
    except (TypeError, ValueError):
        accepted = "http://HOST:PORT with a port from 1 to 65535"
        raise not_accepted(key, getattr(config, key), accepted) from None


def require_app(config: object, key: str) -> None:
    """The value of `key` is where the application listens: unix:PATH or http://IP:PORT."""
    value = getattr(config, key)
    if not isinstance(value, str) or not _is_app(value):
        path = f"unix:PATH with a path of 1 to {LONGEST_SOCKET_BYTES} bytes"
        raise not_accepted(
            key, value, f"{path}, or http://IP:PORT with a loopback IP such as 127.0.0.1"
        )


def _is_app(value: str) -> bool:
    if value.startswith(UNIX):
        length_bytes = len(os.fsencode(value.removeprefix(UNIX)))
        return 1 <= length_bytes <= LONGEST_SOCKET_BYTES and value.isprintable()
    try:
        return ip_address(host_and_port(value, "http")[0]).is_loopback
    except ValueError:
        return False
