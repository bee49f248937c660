"""Tokens as eras 3 and 4 have them (JWT, HS256): good ones, and those that must open nothing."""

import time
from pathlib import Path

import jwt

LIFE_S = 60


def secret_in(path: Path) -> bytes:
    return path.read_bytes().strip()


def mint(secret: bytes, caller: str, callee: str, life_s: int = LIFE_S) -> str:
    """What `caller` would show to `callee`; a negative `life_s` is one that is over."""
    now = int(time.time())
    claims = {"sub": caller, "aud": callee, "iat": now - 2 * LIFE_S, "exp": now + life_s}
    return jwt.encode(claims, secret, "HS256")


def bad_tokens(secret: bytes) -> dict[str, str]:
    """What is wrong with it -> the token. Each but the first two is signed with our own secret."""
    now = int(time.time())
    claims = {"sub": "orders", "aud": "inventory", "iat": now, "exp": now + LIFE_S}
    forever = {name: claims[name] for name in ("sub", "aud", "iat")}
    return {
        "forged": jwt.encode(claims, b"not the secret of this shop, but as long", "HS256"),
        "unsigned": jwt.encode(claims, None, "none"),
        "expired": mint(secret, "orders", "inventory", -30),  # clocks may differ by seconds
        "for another service": mint(secret, "orders", "registry"),
        "without an end": jwt.encode(forever, secret, "HS256"),
        "of nobody we know": mint(secret, "nobody", "inventory"),
        "no token at all": "orders",
    }
