"""What a program is told that speaks xDS itself, as gRPC's own client: no proxy stands beside it.

It asks for a listener of the name that it calls (`xds:///inventory`), and knows fewer words: its
routes say nothing of methods, as it always uses POST, and its deadlines are of streams.
"""

from __future__ import annotations

from envoy.config.listener.v3.listener_pb2 import Listener
from envoy.config.route.v3.route_pb2 import RouteConfiguration
from envoy.extensions.filters.http.fault.v3.fault_pb2 import HTTPFault
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2

from era5_sidecar.config_inbound import ANYONE
from era6_control_plane.intent import RouteIntent, ServiceIntent
from era6_control_plane.resources import managers, routes
from era6_control_plane.resources.listeners import FAULT_FILTER
from era6_control_plane.resources.parts import ADS, Json, boxed, seconds, typed

NOT_EXECUTED = "unavailable"
METHOD = "POST"


def listener(service: str) -> Listener:
    """One for each service that it may call, by the service's name."""
    fault = {"name": FAULT_FILTER, "typed_config": typed(HTTPFault, {})}
    manager = {
        "rds": {"route_config_name": service, "config_source": ADS},
        "http_filters": [fault, managers.router()],
    }
    api = typed(http_connection_manager_pb2.HttpConnectionManager, manager)
    return Listener(name=service, api_listener={"api_listener": api})


def route(name: str, service: ServiceIntent) -> RouteConfiguration:
    """Of the same name as the listener."""
    host = {
        "name": name,
        "domains": ["*"],
        "routes": [_route(name, service, each) for each in fitting(service)],
    }
    return RouteConfiguration(name=name, virtual_hosts=[host])


def fitting(service: ServiceIntent) -> list[RouteIntent]:
    """Those routes that can ever be taken."""
    return [each for each in routes.in_order(service) if each.method in (ANYONE, METHOD)]


def _route(name: str, service: ServiceIntent, route: RouteIntent) -> Json:
    client = service.client
    attempts = route.attempts or client.retry.attempts
    deadline = {"max_stream_duration": seconds(route.deadline_s or client.deadline_s)}
    action = routes.destination(name, route) | {"max_stream_duration": deadline}
    if attempts > 1:  # gRPC refuses a policy of none
        action["retry_policy"] = {
            "retry_on": NOT_EXECUTED,
            "num_retries": boxed(attempts - 1),
            "retry_back_off": {
                "base_interval": seconds(client.retry.backoff.base_s),
                "max_interval": seconds(client.retry.backoff.cap_s),
            },
        }
    match = {"prefix": "" if route.path == "/" else route.path, "headers": routes.conditions(route)}
    return {"match": match, "route": action, **routes.fault(route.fault)}
