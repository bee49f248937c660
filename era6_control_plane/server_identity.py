"""How the control plane proves to its callers who it is: credentials that follow every change.

gRPC asks for them again at each handshake, so neither a renewed certificate nor another authority
needs a restart, and no connection that stands is touched. Both ends of ours speak TLS 1.3; that an
older client may not begin with 1.2 is what gRPC's Python cannot say.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import grpc

from era5_sidecar.certificates import Pair
from era6_control_plane.citadel import Citadel

Shown = tuple[Pair, bytes]  # our own certificate, and whose certificates we believe


class ServerIdentity:
    """One port's credentials. gRPC asks from threads of its own."""

    def __init__(
        self,
        citadel: Citadel,
        wall: Callable[[], float],
        say: Callable[[str], None],
        must_callers_prove: bool,
    ) -> None:
        """wall: seconds since 1970. must_callers_prove: who has no certificate is refused."""
        self._citadel = citadel
        self._wall = wall
        self._say = say
        self._must_callers_prove = must_callers_prove
        self._turn = threading.Lock()
        self._shown = self._now()

    def credentials(self) -> grpc.ServerCredentials:
        """For `add_secure_port`."""
        return grpc.dynamic_ssl_server_credentials(
            self._configuration(self._shown), self._fetch, self._must_callers_prove
        )

    def _now(self) -> Shown:
        believed = self._citadel.authorities() if self._must_callers_prove else b""
        return self._citadel.own(self._wall()), believed

    def _fetch(self) -> Any:  # its stubs do not know that None is accepted
        """None: as before. What is raised here nobody would hear."""
        try:
            shown = self._now()
        except Exception as error:
            self._say(f"own certificate: {type(error).__name__} {error}; the last one stays")
            return None
        with self._turn:
            is_new, self._shown = shown != self._shown, shown
        return self._configuration(shown) if is_new else None

    def _configuration(self, shown: Shown) -> grpc.ServerCertificateConfiguration:
        pair, believed = shown
        chain = [(pair.key, pair.certificate)]
        return grpc.ssl_server_certificate_configuration(chain, believed or None)
