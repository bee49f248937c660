"""Who is there: the instances of one version, or all."""

from __future__ import annotations

from collections.abc import Iterable

from envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment

from era6_control_plane.membership import Endpoint
from era6_control_plane.resources.parts import Json, boxed, place

HERE = {"zone": "mesh"}  # gRPC takes no instance without a place that has a weight


def assignment(cluster: str, endpoints: Iterable[Endpoint]) -> ClusterLoadAssignment:
    """In the same order whatever order they come in.

    An address that is none is left out: one instance that talks nonsense must not hide the others.
    Of two that say the same address, one stays.
    """
    placed: dict[str, Json] = {}
    for each in sorted(endpoints, key=_by_instance):
        try:
            where = place(each.url)
        except ValueError:
            continue
        placed.setdefault(each.url, {"hostname": each.instance, "address": where})
    here = {
        "locality": HERE,
        "load_balancing_weight": boxed(1),
        "lb_endpoints": [{"endpoint": each} for each in placed.values()],
    }
    return ClusterLoadAssignment(cluster_name=cluster, endpoints=[here] if placed else [])


def _by_instance(endpoint: Endpoint) -> tuple[str, str]:
    return endpoint.instance, endpoint.url
