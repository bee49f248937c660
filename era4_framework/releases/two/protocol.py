"""What two services of this framework say to each other beside the business: release 2.

Every service links this file. Two services understand each other as far as their releases do, so
a change here is a change of every service.
"""

from collections.abc import Mapping

RELEASE = 2

IDENTITY = "X-Service-Token"  # the token alone; proxies have plans of their own for Authorization
OLD_IDENTITY = "Authorization"  # "Bearer TOKEN", as release 1 says it
DEADLINE = "Request-Timeout-Ms"  # whole milliseconds that are left; no X-, see RFC 6648
TRACE = "traceparent"  # W3C Trace Context, level 1
UNDERSTOOD = (IDENTITY, OLD_IDENTITY, DEADLINE, TRACE)  # other headers reach no filter


def identity_header(token: str) -> dict[str, str]:
    """The header with which a caller says who it is."""
    return {IDENTITY: token}


def token_in(headers: Mapping[str, str]) -> str:
    """The token of whoever asks; empty if there is none."""
    if IDENTITY in headers:
        return headers[IDENTITY]
    scheme, _, token = headers.get(OLD_IDENTITY, "").partition(" ")
    return token if scheme.lower() == "bearer" else ""


def deadline_header(left: str) -> dict[str, str]:
    """The header that tells how much time is left."""
    return {DEADLINE: left}


def deadline_in(headers: Mapping[str, str]) -> str | None:
    """How much time is left, as it was written; None if nothing is said."""
    return headers.get(DEADLINE)
