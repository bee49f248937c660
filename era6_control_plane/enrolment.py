"""How an instance gets in, stays in, and keeps its certificate: `Join`, `Renew` and `Attend`."""

from __future__ import annotations

from collections.abc import Callable

import grpc

from era6_control_plane.citadel import Citadel
from era6_control_plane.membership import Membership


class Enrolment:
    """Puts citadel and membership behind gRPC. All of it runs in one event loop."""

    def __init__(
        self,
        citadel: Citadel,
        membership: Membership,
        life_s: Callable[[], float],
        say: Callable[[str], None],
    ) -> None:
        """life_s: of certificates, as the intent says it now. say: told one line of news."""

    def join_handler(self) -> grpc.GenericRpcHandler:
        """For the server of the join port: `Join`."""
        raise NotImplementedError

    def node_handler(self) -> grpc.GenericRpcHandler:
        """For the server of the node port: `Renew` and `Attend`."""
        raise NotImplementedError

    def join_credentials(self) -> grpc.ServerCredentials:
        """For the join port: we prove who we are, callers need not."""
        raise NotImplementedError

    def node_credentials(self) -> grpc.ServerCredentials:
        """For the node port: callers have a certificate of ours. Both follow every rotation."""
        raise NotImplementedError

    async def run(self) -> None:
        """Until it is cancelled: leases run out, and replacing an authority goes on."""
        raise NotImplementedError
