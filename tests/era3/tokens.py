"""Tokens as the shop mints them, and as those forge them who should not."""

import base64
import json
import time

import jwt

SECRET = b"canary-5f1d1d3d8a4f4b0f9d4c-" + b"0" * 36  # 64 bytes, also enough for HS512
OTHER_SECRET = b"1" * 64


def token(
    subject: str = "orders",
    audience: str = "inventory",
    life_s: float = 3600,  # longer than any run of the tests: some are minted when they are read
    secret: bytes = SECRET,
    without: str = "",
    algorithm: str = "HS256",
) -> str:
    """A token of `subject`; `life_s` below 0: it has expired; `without`: a claim left out."""
    now = int(time.time())
    claims = {"sub": subject, "aud": audience, "iat": now, "exp": now + life_s}
    claims.pop(without, None)
    return jwt.encode(claims, secret, algorithm)


def unsigned(subject: str = "orders", audience: str = "inventory") -> str:
    """alg=none, which libraries once believed."""
    claims = {"sub": subject, "aud": audience, "exp": int(time.time()) + 60}
    parts = [{"alg": "none", "typ": "JWT"}, claims]
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in parts]
    return b".".join([*encoded, b""]).decode()


def bearer(*arguments: object, **named: object) -> dict[str, str]:
    """The header that carries `token(...)`."""
    return {"Authorization": f"Bearer {token(*arguments, **named)}"}


BAD_TOKENS = {
    "none at all": {},
    "another scheme": {"Authorization": "Basic b3JkZXJzOm9yZGVycw=="},
    "an empty one": {"Authorization": "Bearer "},
    "no token": {"Authorization": "Bearer nonsense"},
    "three empty parts": {"Authorization": "Bearer .."},
    "no text": {"Authorization": "Bearer \xff\xfe"},
    "forged": bearer(secret=OTHER_SECRET),
    "expired": bearer(life_s=-60),
    "for another service": bearer(audience="registry"),
    "unsigned": {"Authorization": f"Bearer {unsigned()}"},
    "signed another way": bearer(algorithm="HS512"),
    "without an end": bearer(without="exp"),
    "without a subject": bearer(without="sub"),
    "without an audience": bearer(without="aud"),
    "whose subject is no text": bearer(7),
    "not yet issued": {
        "Authorization": "Bearer "
        + jwt.encode(
            {"sub": "orders", "aud": "inventory", "iat": 2**33, "exp": 2**34}, SECRET, "HS256"
        )
    },
}
