"""Clusters, and who is in them: read."""

from __future__ import annotations

from typing import Any

from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.core.v3.health_check_pb2 import HealthStatus
from envoy.extensions.transport_sockets.tls.v3.tls_pb2 import UpstreamTlsContext
from envoy.extensions.upstreams.http.v3.http_protocol_options_pb2 import HttpProtocolOptions

from era4_framework.config import BalancerConfig, BreakerConfig, BudgetConfig, ClientConfig
from era4_framework.config import RetryConfig as Retry
from era5_sidecar.config_text import is_name
from era5_sidecar.connection import NEVER
from era5_sidecar.discovery import Instance
from era5_sidecar.upstream import Asked
from era6_control_plane.interpret_parts import beside_of, config_of, url_of
from era6_control_plane.interpret_transport import tls_secrets
from era6_control_plane.names import APP, BESIDE, TRUST_DOMAIN
from era6_control_plane.reading import Reading
from era6_control_plane.told import AppSaid, ClusterSaid

BALANCERS = {Cluster.ROUND_ROBIN: "round_robin", Cluster.LEAST_REQUEST: "p2c"}
GOOD = (HealthStatus.UNKNOWN, HealthStatus.HEALTHY, HealthStatus.DEGRADED)
OURS = {  # what we do otherwise: the breaker and the budget beside it say how
    "connect_timeout",
    "common_lb_config",
    "least_request_lb_config",
    "outlier_detection",
}


def cluster(name: str, message: Any) -> ClusterSaid | AppSaid | None:
    """Whom others ask, or the service beside us; None: one to which nothing leads.

    message: a Cluster. Raises Refused.
    """
    if message.type == Cluster.STATIC:
        return _app(name, message) if name == APP else None
    with Reading(message) as said:
        if said.take("type") != Cluster.EDS:
            raise said.refuse("type", "EDS, or STATIC")
        said.skip("name", *OURS)
        eds = said.within("eds_cluster_config")
        eds.skip("eds_config")
        assignment = eds.take("service_name") or name
        eds.end()
        beside = beside_of(said)
        service = beside.get("service", "")
        if not is_name(service):
            raise said.refuse("metadata", f"{BESIDE} with the name of a service")
        secrets = _tls(said, service)
        client = ClientConfig(
            retry=Retry(budget=config_of(said, BudgetConfig, "budget", beside.get("budget", {}))),
            breaker=config_of(said, BreakerConfig, "breaker", beside.get("breaker", {})),
            balancer=BalancerConfig(_balancer(said)),
        )
        asked = Asked(service, client, _most(said), most_age_s=_most_age_s(said))
        return ClusterSaid(name, beside.get("version", ""), asked, assignment, secrets)


def assignment(name: str, message: Any) -> tuple[Instance, ...]:
    """Who is there, and may be asked. message: a ClusterLoadAssignment. Raises Refused."""
    found = []
    with Reading(message) as said:
        said.skip("cluster_name")
        for place in said.each("endpoints"):
            place.skip("locality", "load_balancing_weight")
            for each in place.each("lb_endpoints"):
                is_good = each.take("health_status") in GOOD
                with each, each.within("endpoint") as endpoint:
                    url = url_of(endpoint.within("address"))
                    instance = Instance(endpoint.take("hostname") or url, url)
                found += [instance] if is_good else []
            place.end()
    return tuple(found)


def _app(name: str, message: Any) -> AppSaid:
    with Reading(message) as said:
        said.skip("name", "type", "connect_timeout")
        most = 0
        with said.within("circuit_breakers") as breakers:
            for each in breakers.each("thresholds"):
                each.skip("max_connections", "max_pending_requests")
                most = each.number("max_requests")
                each.end()
        with said.within("load_assignment") as there:
            there.skip("cluster_name")
            urls = [
                url_of(endpoint.within("endpoint").within("address"))
                for place in there.each("endpoints")
                for endpoint in place.each("lb_endpoints")
            ]
        if len(urls) != 1 or not most:
            raise said.refuse("load_assignment", "one address, and a most for its requests")
        return AppSaid(urls[0], most)


def _tls(said: Reading, service: str) -> frozenset[str]:
    with said.within("transport_socket") as socket:
        socket.skip("name")
        with socket.within("typed_config").unpacked(UpstreamTlsContext) as tls:
            if tls.take("sni") != service:
                raise tls.refuse("sni", repr(service))
            return tls_secrets(tls.within("common_tls_context"), TRUST_DOMAIN + service, "exact")


def _balancer(said: Reading) -> str:
    kind = said.take("lb_policy")
    if kind not in BALANCERS:
        raise said.refuse("lb_policy", "ROUND_ROBIN or LEAST_REQUEST")
    return BALANCERS[kind]


def _most(said: Reading) -> float:
    """Connections to one instance; what all instances share is in our budget."""
    with said.within("circuit_breakers") as breakers:
        breakers.skip("thresholds")
        most = [each.number("max_connections") for each in breakers.each("per_host_thresholds")]
    return float(most[0]) if most else NEVER


def _most_age_s(said: Reading) -> float:
    age_s = 0.0
    for each in said.by_key("typed_extension_protocol_options").values():
        with each.unpacked(HttpProtocolOptions) as options:
            options.skip("explicit_http_config")
            with options.within("common_http_protocol_options") as common:
                common.skip("idle_timeout")  # ours is shorter than anybody's
                age_s = common.seconds("max_connection_duration")
    return age_s or NEVER
