"""What two services of this framework say to each other beside the business: release 1.

Every service links this file. Two services understand each other as far as their releases do, so
a change here is a change of every service. `releases/two` holds such a change.
"""

from collections.abc import Mapping

RELEASE = 1

IDENTITY = "Authorization"  # "Bearer TOKEN", RFC 6750, section 2.1
DEADLINE = "X-Deadline-Ms"  # whole milliseconds that are left, less at every hop
TRACE = "traceparent"  # W3C Trace Context, level 1
UNDERSTOOD = (IDENTITY, DEADLINE, TRACE)  # what a server reads; other headers reach no filter


def identity_header(token: str) -> dict[str, str]:
    """The header with which a caller says who it is."""
    return {IDENTITY: f"Bearer {token}"}


def token_in(headers: Mapping[str, str]) -> str:
    """The token of whoever asks; empty if there is none."""
    scheme, _, token = headers.get(IDENTITY, "").partition(" ")
    return token if scheme.lower() == "bearer" else ""


def deadline_header(left: str) -> dict[str, str]:
    """The header that tells how much time is left."""
    return {DEADLINE: left}


def deadline_in(headers: Mapping[str, str]) -> str | None:
    """How much time is left, as it was written; None if nothing is said."""
    return headers.get(DEADLINE)
