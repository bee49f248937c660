"""Registers an instance that cannot do it itself, from inside the namespace where the registry is.

`python -m lab.cast.registrar` REGISTRY_URL SECRET_FILE SERVICE INSTANCE URL says what the wire
contract of eras 3 to 6 asks for: PUT /services/SERVICE/INSTANCE, with a token of "operator".
"""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

import jwt

from lab.find import child_environment
from lab.launch import RoleFailed

NETWORK = "10.7.0.0/24"  # of the real wire's hosts
LEASE_S = 3600.0  # nobody renews it
TOKEN_S = 60
TIMEOUT_S = 5.0


def registry_options(secret: Path, is_real: bool) -> list[str]:
    """What the registry of a cast is told, besides where it listens."""
    return ["--secret", str(secret), *(["--network", NETWORK] if is_real else [])]


def register(registry_url: str, secret: Path, service: str, instance: str, url: str) -> None:
    """Raises OSError if the registry is not there, ValueError with its words if it refuses."""
    now = int(time.time())
    claims = {"sub": "operator", "aud": "registry", "iat": now, "exp": now + TOKEN_S}
    token = jwt.encode(claims, secret.read_bytes().strip(), "HS256")
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    body = json.dumps({"url": url, "lease_s": LEASE_S})
    connection = http.client.HTTPConnection(urlsplit(registry_url).netloc, timeout=TIMEOUT_S)
    try:
        connection.request("PUT", f"/services/{service}/{instance}", body, headers)
        response = connection.getresponse()
        said = response.read()
    finally:
        connection.close()
    if response.status >= 300:
        raise ValueError(f"{response.status} {said.decode(errors='replace')}")


def run_registrar(
    inside: Sequence[str], registry_url: str, secret: Path, instance: str, url: str
) -> None:
    """Register an instance of inventory; `inside` begins the command that may reach the registry.

    Raises RoleFailed with the registry's words if it refuses.
    """
    asked = [registry_url, str(secret), "inventory", instance, url]
    told = subprocess.run(
        [*inside, sys.executable, "-m", "lab.cast.registrar", *asked],
        env=child_environment(),
        capture_output=True,
        text=True,
    )
    if told.returncode:
        raise RoleFailed(f"{instance} cannot be registered: {told.stderr.strip()}")


if __name__ == "__main__":
    asked_url, asked_secret, *rest = sys.argv[1:]
    try:
        register(asked_url, Path(asked_secret), *rest)
    except (OSError, ValueError) as refusal:
        sys.exit(str(refusal))
