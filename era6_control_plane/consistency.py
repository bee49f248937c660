"""Whether a snapshot is whole: Envoy waits up to 15 s for what another resource names."""

from __future__ import annotations

from era6_control_plane.snapshot import Snapshot


def check(snapshot: Snapshot) -> None:
    """Raises ValueError for a route to no cluster, a cluster without its assignment, a listener
    without its routes; and for those that nothing leads to.
    """
    raise NotImplementedError
