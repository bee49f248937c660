"""Where a proxy listens: for its service's callers, and for the calls of its service.

A change here leaves connections that are open on what was said before, so whatever an operator
changes at run time is said in routes and clusters instead.
"""

from __future__ import annotations

from envoy.config.listener.v3.listener_pb2 import Listener
from envoy.extensions.filters.http.fault.v3.fault_pb2 import HTTPFault
from envoy.extensions.filters.listener.tls_inspector.v3.tls_inspector_pb2 import TlsInspector

from era6_control_plane.intent import PERMISSIVE, MeshIntent
from era6_control_plane.names import INBOUND, OUTBOUND
from era6_control_plane.resources import admission, answers, beside, managers, transport
from era6_control_plane.resources.parts import Json, boxed, place, seconds, typed

FAULT_FILTER = "fault"
NO_NAME = {"forward_client_cert_details": "SANITIZE"}  # a stranger may write no identity
ITS_NAME = {
    "forward_client_cert_details": "SANITIZE_SET",
    "set_current_client_cert_details": {"uri": True},
}


def most_age_s(mesh: MeshIntent) -> float:
    """How long a connection may last: it was let in by a certificate that was half over at most,
    and must not outlive it."""
    return mesh.certificate_life_s / 4


def inbound(mesh: MeshIntent, service: str, is_edge: bool, url: str) -> Listener:
    """For callers. is_edge: they are customers, who have no certificate. Raises ValueError for
    what is no address."""
    told = _listener(INBOUND, url, mesh)
    if is_edge:
        edge = {"use_remote_address": boxed(True)} | NO_NAME | managers.without_customers_own()
        return Listener(**told | {"filter_chains": [{"filters": _inbound(mesh, service, edge)}]})
    guarded = _guarded(mesh, service)
    if mesh.mtls == PERMISSIVE:
        look = {"name": "tls_inspector", "typed_config": typed(TlsInspector, {})}
        guarded |= {"filter_chain_match": {"transport_protocol": "tls"}}
        plain: Json = {"filters": _inbound(mesh, service, NO_NAME)}
        plain |= {"filter_chain_match": {"transport_protocol": "raw_buffer"}}
        told |= {"listener_filters": [look], "filter_chains": [guarded, plain]}
        return Listener(**told)
    return Listener(**told | {"filter_chains": [guarded]})


def outbound(mesh: MeshIntent, service: str, url: str) -> Listener:
    """For the service's own calls: loopback only, as who reaches it speaks in its name.

    Raises ValueError for another address.
    """
    place(url, is_here=True)
    fault = {"name": FAULT_FILTER, "typed_config": typed(HTTPFault, {})}
    told = {
        "local_reply_config": {"mappers": answers.to_service()},
        "http_filters": [fault, managers.router()],
    }
    filters = managers.chain(OUTBOUND, mesh, service, told, {})
    return Listener(**_listener(OUTBOUND, url, mesh) | {"filter_chains": [{"filters": filters}]})


def _listener(name: str, url: str, mesh: MeshIntent) -> Json:
    return {
        "name": name,
        "address": place(url),
        "per_connection_buffer_limit_bytes": boxed(mesh.limits.most_buffer_bytes),
        "metadata": beside.listener(mesh.limits),
    }


def _guarded(mesh: MeshIntent, service: str) -> Json:
    filters = _inbound(mesh, service, ITS_NAME)
    return {"filters": filters, "transport_socket": transport.of_callers()}


def _inbound(mesh: MeshIntent, service: str, caller: Json) -> list[Json]:
    told = {
        "local_reply_config": {"mappers": answers.to_callers()},
        "http_filters": [*admission.filters(), managers.router()],
        # A connection is ended by an answer that says so: else it ends as a request comes in.
        "http1_safe_max_connection_duration": True,
        **caller,
    }
    age_s = most_age_s(mesh)
    age = {
        "max_connection_duration": seconds(age_s),
        "idle_timeout": seconds(min(mesh.limits.idle_s, age_s)),
    }
    return managers.chain(INBOUND, mesh, service, told, age)
