"""A real Envoy under a server of ours in the same event loop, with load through it."""

from __future__ import annotations

import asyncio
import json
import subprocess
import time
import urllib.error
import urllib.request
from collections import Counter
from contextlib import asynccontextmanager, suppress

import pytest
from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment
from envoy.config.listener.v3.listener_pb2 import Listener
from envoy.config.route.v3.route_pb2 import RouteConfiguration
from envoy.extensions.filters.http.router.v3 import router_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import (
    http_connection_manager_pb2,
)
from envoy.extensions.upstreams.http.v3 import http_protocol_options_pb2
from google.protobuf import json_format

from era5_sidecar import bought
from era6_control_plane.names import CDS, EDS, LDS, RDS
from era6_control_plane.snapshot import Resource, Snapshot

KNOWN = (router_pb2, http_connection_manager_pb2, http_protocol_options_pb2)  # by their import
TYPES = "type.googleapis.com/envoy"
KINDS = {CDS: Cluster, EDS: ClusterLoadAssignment, LDS: Listener, RDS: RouteConfiguration}
ADS = {"resource_api_version": "V3", "ads": {}}
ANY = {"prefix": "/"}
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n"


def binary() -> str:
    try:
        return bought.find("envoy")
    except bought.Missing as missing:
        pytest.skip(str(missing))


def packed(kind, name, told):
    return Resource.pack(name, json_format.ParseDict(told, KINDS[kind]()))


def at(port):
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def world(port, clusters, route, timeout_s=1.0, match=ANY):
    """One listener, whose only route leads to `route`; clusters: name -> port of its endpoint."""
    router = {
        "name": "router",
        "typed_config": {"@type": f"{TYPES}.extensions.filters.http.router.v3.Router"},
    }
    manager = {
        "@type": f"{TYPES}.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",  # noqa: E501
        "stat_prefix": "test",
        "rds": {"route_config_name": "routes", "config_source": ADS},
        "http_filters": [router],
    }
    chain = {"filters": [{"name": "http", "typed_config": manager}]}
    routes = [{"match": match, "route": {"cluster": route}}]
    hosts = [{"name": "all", "domains": ["*"], "routes": routes}]
    return Snapshot(
        [
            packed(LDS, "in", {"name": "in", "address": at(port), "filter_chains": [chain]}),
            packed(RDS, "routes", {"name": "routes", "virtual_hosts": hosts}),
            *(packed(CDS, name, cluster(name, timeout_s)) for name in clusters),
            *(packed(EDS, name, assignment(name, there)) for name, there in clusters.items()),
        ]
    )


def cluster(name, timeout_s):
    eds = {"eds_config": ADS}
    return {
        "name": name,
        "type": "EDS",
        "connect_timeout": f"{timeout_s}s",
        "eds_cluster_config": eds,
    }


def assignment(name, port):
    return {
        "cluster_name": name,
        "endpoints": [{"lb_endpoints": [{"endpoint": {"address": at(port)}}]}],
    }


def bootstrap(pilot, admin, mode, node="orders-1"):
    kind = f"{TYPES}.extensions.upstreams.http.v3.HttpProtocolOptions"
    name = kind.removeprefix("type.googleapis.com/")
    http2 = {"@type": kind, "explicit_http_config": {"http2_protocol_options": {}}}
    where = {
        "cluster_name": "pilot",
        "endpoints": [{"lb_endpoints": [{"endpoint": {"address": at(pilot)}}]}],
    }
    return {
        "node": {"id": node, "cluster": "orders"},
        "admin": {"address": at(admin)},
        "dynamic_resources": {
            "ads_config": {
                "api_type": "GRPC" if mode.value == "whole" else "DELTA_GRPC",
                "transport_api_version": "V3",
                "set_node_on_first_message_only": True,
                "grpc_services": [{"envoy_grpc": {"cluster_name": "pilot"}}],
            },
            "cds_config": ADS,
            "lds_config": ADS,
        },
        "static_resources": {
            "clusters": [
                {
                    "name": "pilot",
                    "type": "STATIC",
                    "connect_timeout": "1s",
                    "load_assignment": where,
                    "typed_extension_protocol_options": {name: http2},
                }
            ]
        },
    }


@asynccontextmanager
async def running(folder, told, admin):
    """Gives the process once it is ready: it has been told everything by then."""
    path = folder / "envoy.json"
    path.write_text(json.dumps(told))
    command = [binary(), "-c", str(path), "--concurrency", "1", "--disable-hot-restart"]
    with (folder / "envoy.log").open("w") as log:
        process = subprocess.Popen(
            [*command, "--log-level", "warning"], stdout=log, stderr=subprocess.STDOUT
        )
    try:
        until = time.monotonic() + 20
        while await asyncio.to_thread(_status, f"http://127.0.0.1:{admin}/ready") != 200:
            assert process.poll() is None, (folder / "envoy.log").read_text()
            assert time.monotonic() < until, (folder / "envoy.log").read_text()
            await asyncio.sleep(0.01)
        yield process
    finally:
        process.terminate()
        try:
            await asyncio.to_thread(process.wait, 5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _status(url):
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


@asynccontextmanager
async def backend(letter):
    """A service that answers one letter to everything; gives its port."""

    async def serve(reader, writer):
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                await reader.readuntil(b"\r\n\r\n")
                writer.write(ANSWER + letter)
                await writer.drain()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


PAUSE_S = 0.002  # between two of its requests: a processor is not to be filled with them


class Caller:
    """One connection that is kept as long as it may be."""

    def __init__(self, port):
        self.port = port
        self.seen: Counter[tuple[int, bytes]] = Counter()
        self._writer = None

    async def ask(self):
        """Status and the body's first letter."""
        if self._writer is None:
            self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self.port)
        self._writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        length = int(head.partition(b"content-length:")[2].split(b"\r\n")[0] or 0)
        body = await self._reader.readexactly(length)
        if b"connection: close" in head:
            self.close()
        answer = int(head.split()[1]), body[:1]
        self.seen[answer] += 1
        return answer

    async def until_stopped(self, stop):
        while not stop.is_set():
            await self.ask()
            await asyncio.sleep(PAUSE_S)

    def close(self):
        if self._writer is not None:
            self._writer.close()
        self._writer = None
