"""Our proxy as a client of the control plane, and of the agent beside it: two gRPC streams."""

from __future__ import annotations

from collections.abc import Callable

from era6_control_plane.node import NodeConfig
from era6_control_plane.told import Told


class Client:
    """Follows both until it is closed; whoever made it is told of each consistent whole."""

    def __init__(
        self, node: NodeConfig, on_told: Callable[[Told], None], say: Callable[[str], None]
    ) -> None:
        raise NotImplementedError

    async def run(self) -> None:
        """For ever; whatever breaks is begun again."""
        raise NotImplementedError
