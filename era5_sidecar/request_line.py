"""The first line of a request: RFC 9112, section 3. Judged once and remembered, as fields are."""

import re

from era5_sidecar.fields import LONGEST_KNOWN, TOKEN, BadMessage

# in a target "#" never leaves a client
USUAL = re.compile(rb"([A-Z]+) (?:http://([^/?# ]*))?(/[\x21\x22\x24-\x7e]*) HTTP/1\.1")
ABSOLUTE = re.compile(rb"http://([^/?#]*)([/?][\x21\x22\x24-\x7e]*)?", re.IGNORECASE)
METHODS = frozenset((b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"PATCH", b"OPTIONS"))
TUNNELS = (b"CONNECT", b"TRACE")  # one asks for a way past us, the other to be told secrets
MOST_LINES = 512  # that are remembered

Told = tuple[bytes, bytes | None, bytes]  # method; host, if the target names one; target

_known: dict[bytes, Told] = {}


def request_line(line: bytes) -> Told:
    """What it says. Raises BadMessage."""
    return _known.get(line) or _learn(line)


def _learn(line: bytes) -> Told:
    usual = USUAL.fullmatch(line)
    if usual and usual[1] in METHODS:
        told: Told = usual[1], usual[2], usual[3]
    else:
        told = _unusual(line)
    if len(line) <= LONGEST_KNOWN:
        if len(_known) >= MOST_LINES:
            _known.clear()
        _known[line] = told
    return told


def _unusual(line: bytes) -> Told:
    parts = line.split(b" ")
    if len(parts) != 3 or parts[2] != b"HTTP/1.1":
        raise _bad(parts)
    method, target, _ = parts
    if method not in METHODS:
        raise _bad_method(method)
    if method == b"OPTIONS" and target == b"*":  # RFC 9112, section 3.2.4
        return method, None, target
    return method, *_absolute(target)


def _absolute(target: bytes) -> tuple[bytes, bytes]:
    """Host and target of a request to a proxy: RFC 9112, section 3.2.2."""
    found = ABSOLUTE.fullmatch(target)
    if not found:
        raise BadMessage("accepted as target: /PATH or http://HOST/PATH")
    path = found[2] or b"/"
    return found[1], path if path[:1] == b"/" else b"/" + path


def _bad(parts: list[bytes]) -> BadMessage:
    version = parts[-1]
    if len(parts) == 3 and version == b"HTTP/1.0":
        return BadMessage("accepted: HTTP/1.1", 426)
    if len(parts) == 3 and re.fullmatch(rb"HTTP/[0-9]\.[0-9]", version):
        return BadMessage("accepted: HTTP/1.1", 505)
    return BadMessage("accepted: METHOD SP TARGET SP HTTP/1.1")


def _bad_method(method: bytes) -> BadMessage:
    known = ", ".join(sorted(each.decode() for each in METHODS))
    if method in TUNNELS:
        return BadMessage(f"accepted methods: {known}", 405)
    if not TOKEN.fullmatch(method):
        return BadMessage("the method is no token")
    return BadMessage(f"accepted methods: {known}", 501)
