"""Who asks: every call carries a signed token that says from whom it is and for whom.

A token is a JWT (RFC 7519) of this service for one other, signed with a secret that all services
share (HS256): who has the secret can be anybody, who has a token can be one caller of one callee,
for a minute.
"""

import threading
import time
from collections.abc import Callable
from pathlib import Path

import jwt

from era4_framework.errors import NotKnown

TOKEN_S = 60.0  # how long a stolen token is of use
MOST_PROVEN = 1000  # callers use a token for half its life: proving it once is enough
LEEWAY_S = 5.0  # clocks of two machines do not agree: RFC 7519, section 4.1.4
LEAST_SECRET_BYTES = 32  # RFC 7518, section 3.2: as long as the hash


def read_secret(path: Path) -> bytes:
    """What tokens are signed with: the file's bytes without the white space around them.

    Raises ValueError that names the file, never what is in it.
    """
    accepted = f"a file of at least {LEAST_SECRET_BYTES} bytes, as 64 hex digits"
    try:
        secret = path.read_bytes().strip()
    except OSError as error:
        raise ValueError(f"secret {path}: {error.strerror}; accepted: {accepted}") from error
    if len(secret) < LEAST_SECRET_BYTES:
        raise ValueError(f"secret {path} has {len(secret)} bytes; accepted: {accepted}")
    return secret


class Identity:
    """One service's name and its means to prove it. Any thread may ask."""

    def __init__(
        self,
        secret: bytes,
        service: str,
        life_s: float = TOKEN_S,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """life_s: of a token. clock: seconds since 1970, as other machines read the tokens too."""
        self.service = service
        self._secret = secret
        self._life_s = life_s
        self._clock = clock
        self._tokens: dict[str, tuple[str, float]] = {}  # callee -> token, when to renew it
        self._proven: dict[str, tuple[str, float]] = {}  # token -> caller, when it expires
        self._lock = threading.Lock()

    def token_for(self, callee: str) -> str:
        """A token that says to `callee` who asks; signed anew at half its life."""
        now = self._clock()
        with self._lock:
            token, renew_at = self._tokens.get(callee, ("", 0.0))
            if now < renew_at:
                return token
            claims = {
                "sub": self.service,
                "aud": callee,
                "iat": int(now),
                "exp": int(now + self._life_s),
            }
            token = jwt.encode(claims, self._secret, algorithm="HS256")
            self._tokens[callee] = token, now + self._life_s / 2
            return token

    def caller_of(self, token: str) -> str:
        """Who proves with this token to be the caller; raises NotKnown."""
        caller, expires_at = self._proven.get(token, ("", 0.0))
        if self._clock() < expires_at:
            return caller
        accepted = f"accepted: one with sub, exp and aud {self.service}, signed by this shop"
        if not token:
            raise NotKnown(f"no token; {accepted}")
        try:
            claims = jwt.decode(
                token,
                self._secret,
                algorithms=["HS256"],  # never what the token itself says: it could say "none"
                audience=self.service,
                leeway=LEEWAY_S,
                options={"require": ["exp", "sub", "aud"]},
            )
        except jwt.PyJWTError as error:
            # its class tells what is wrong; its text might repeat a piece of the token
            raise NotKnown(f"token refused: {type(error).__name__}; {accepted}") from None
        if len(self._proven) >= MOST_PROVEN:
            self._proven.clear()
        self._proven[token] = str(claims["sub"]), float(claims["exp"])
        return str(claims["sub"])

    def __repr__(self) -> str:
        return f"<Identity of {self.service}>"
