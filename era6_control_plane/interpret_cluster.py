"""Clusters, who is in them, and secrets: read."""

from __future__ import annotations

from typing import Any

from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.core.v3.health_check_pb2 import HealthStatus
from envoy.extensions.transport_sockets.tls.v3.tls_pb2 import UpstreamTlsContext
from envoy.extensions.upstreams.http.v3.http_protocol_options_pb2 import HttpProtocolOptions

from era4_framework import config_rules
from era4_framework.config import BalancerConfig, BreakerConfig, BudgetConfig, ClientConfig
from era4_framework.config import RetryConfig as Retry
from era4_framework.config_rules import ConfigError
from era5_sidecar.config_text import UNIX, is_name
from era5_sidecar.connection import NEVER
from era5_sidecar.discovery import Instance
from era5_sidecar.upstream import Asked
from era6_control_plane.names import APP, TRUST_DOMAIN
from era6_control_plane.reading import Reading, Refused
from era6_control_plane.told import AppSaid, AuthoritiesSaid, ClusterSaid, PairSaid

BESIDE = "seven-eras"
BALANCERS = {Cluster.ROUND_ROBIN: "round_robin", Cluster.LEAST_REQUEST: "p2c"}
GOOD = (HealthStatus.UNKNOWN, HealthStatus.HEALTHY, HealthStatus.DEGRADED)
OURS = {  # what we do otherwise: the breaker and the budget beside it say how
    "connect_timeout",
    "common_lb_config",
    "least_request_lb_config",
    "outlier_detection",
}


def cluster(name: str, message: Any) -> ClusterSaid | AppSaid | None:
    """Whom others ask; None: one to which nothing leads. Raises Refused."""
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
            retry=Retry(budget=_read(said, BudgetConfig, beside, "budget")),
            breaker=_read(said, BreakerConfig, beside, "breaker"),
            balancer=BalancerConfig(_balancer(said)),
        )
        asked = Asked(service, client, _most(said), most_age_s=_most_age_s(said))
        return ClusterSaid(name, beside.get("version", ""), asked, assignment, secrets)


def assignment(name: str, message: Any) -> tuple[Instance, ...]:
    """Who is there, and may be asked. Raises Refused."""
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


def secret(name: str, message: Any) -> PairSaid | AuthoritiesSaid:
    """Raises Refused, which never says what is in it."""
    if message.HasField("tls_certificate"):
        pair = message.tls_certificate
        if pair.private_key.WhichOneof("specifier") not in ("inline_bytes", "inline_string"):
            raise Refused("tls_certificate.private_key: accepted is one inline")
        return PairSaid(_inline(pair.certificate_chain), _inline(pair.private_key))
    if message.HasField("validation_context"):
        return AuthoritiesSaid(_inline(message.validation_context.trusted_ca))
    raise Refused("it is none: accepted is a tls_certificate or a validation_context")


def url_of(said: Reading) -> str:
    """An Address as era 5 writes it: `unix:PATH` or `http://IP:PORT`. Raises Refused."""
    with said:
        if said.has("pipe"):
            with said.within("pipe") as pipe:
                return f"{UNIX}{pipe.take('path')}"
        with said.within("socket_address") as place:
            ip, port = place.take("address"), place.take("port_value")
            if not ip or not port:
                raise said.refuse("socket_address", "an IP and a port")
            return f"http://[{ip}]:{port}" if ":" in ip else f"http://{ip}:{port}"


def beside_of(said: Reading) -> dict[str, Any]:
    """What is said in our own words."""
    with said.within("metadata") as metadata:
        metadata.skip("typed_filter_metadata")
        told = metadata.by_key("filter_metadata").get(BESIDE)  # others' words are not for us
        return told.all() if told else {}


def secret_of(said: Reading) -> str:
    """The name of a secret that the agent serves."""
    said.skip("sds_config")  # there is one agent, and we know where
    with said:
        return str(said.take("name"))


def tls_secrets(common: Reading, accepted: str, matcher: str) -> frozenset[str]:
    """Names of the secrets; the peer's name must be matched as `accepted` says. Raises Refused."""
    with common:
        common.skip("tls_params")  # ours speaks TLS 1.3 and no other
        own = [secret_of(each) for each in common.each("tls_certificate_sds_secret_configs")]
        with common.within("combined_validation_context") as both:
            believed = secret_of(both.within("validation_context_sds_secret_config"))
            with both.within("default_validation_context") as default:
                for each in default.each("match_typed_subject_alt_names"):
                    each.skip("san_type")
                    with each, each.within("matcher") as told:
                        if told.take(matcher) != accepted:
                            raise told.refuse(matcher, repr(accepted))
    return frozenset((*own, believed))


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


def _read(said: Reading, kind: Any, beside: dict[str, Any], key: str) -> Any:
    try:
        return config_rules.read(kind, beside.get(key, {}), f"{said.at('metadata')}.{BESIDE}.{key}")
    except ConfigError as error:
        raise Refused(str(error)) from error


def _inline(source: Any) -> bytes:
    told = source.inline_bytes or source.inline_string.encode()
    if not told:
        raise Refused("a secret that is not inline: accepted is one in PEM")
    return bytes(told)
