"""The words of xDS: five kinds of resources, their full names, and the order in which they go out.

A type URL is `type.googleapis.com/` and the full name of the message, for all of them.
"""

from __future__ import annotations

PREFIX = "type.googleapis.com/"
LDS = f"{PREFIX}envoy.config.listener.v3.Listener"
RDS = f"{PREFIX}envoy.config.route.v3.RouteConfiguration"
CDS = f"{PREFIX}envoy.config.cluster.v3.Cluster"
EDS = f"{PREFIX}envoy.config.endpoint.v3.ClusterLoadAssignment"
SDS = f"{PREFIX}envoy.extensions.transport_sockets.tls.v3.Secret"

SHORT = {LDS: "LDS", RDS: "RDS", CDS: "CDS", EDS: "EDS", SDS: "SDS"}
# Make before break: who is asked must be known before a route leads there, and gone after it.
ORDER = (CDS, EDS, SDS, LDS, RDS)
WILDCARD = frozenset({LDS, CDS})  # asked for without naming any: all of them

INBOUND, OUTBOUND = "inbound", "outbound"  # a sidecar's listeners, and their routes
APP = "app"  # the cluster that is the service beside it
OWN_CERTIFICATE, AUTHORITIES = "default", "ROOTCA"  # secrets, as Istio calls them
AGENT = "agent"  # the static cluster of whoever serves secrets on this host
PILOT = "pilot"  # the static cluster of the control plane, and its name in its certificate
TRUST_DOMAIN = "spiffe://seven-eras/"
BESIDE = "seven-eras"  # the name under which metadata says what Envoy's fields cannot
