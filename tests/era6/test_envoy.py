"""What a real Envoy is told when it starts, and nothing else: Envoy itself is the judge."""

import json
import subprocess
from dataclasses import replace

import pytest
from envoy.config.core.v3.base_pb2 import Node as Message
from google.protobuf import json_format

from era6_control_plane.compile import Node, node_of
from era6_control_plane.envoy import bootstrap, command
from era6_control_plane.names import AGENT, PILOT
from era6_control_plane.node import (
    AgentPlace,
    NodeConfig,
    NodeInbound,
    NodeOutbound,
    PilotAddress,
)
from tests.era6.validate import CHECK_S, envoy

LISTENS = {"inbound": "http://127.0.0.1:7001", "admin": "http://127.0.0.1:7003"}
CALLING = {**LISTENS, "outbound": "http://127.0.0.1:7002"}
CONFIG = NodeConfig(
    service="inventory",
    instance="inventory-1",
    app="unix:/run/inventory.sock",
    admin_listen="http://127.0.0.1:0",
    inbound=NodeInbound("http://127.0.0.1:0"),
    pilot=PilotAddress("https://127.0.0.1:15010", "https://127.0.0.1:15011", "roots.pem"),
    agent=AgentPlace("unix:/run/inventory.agent", "state"),
    version="v2",
)
ORDERS = replace(
    CONFIG, service="orders", instance="orders", outbound=NodeOutbound("http://127.0.0.1:0")
)


def told(config: NodeConfig = CONFIG, listens: dict[str, str] = LISTENS) -> dict:
    return json.loads(bootstrap(config, listens))


@pytest.mark.parametrize(
    ("config", "listens"),
    [
        (CONFIG, LISTENS),
        (ORDERS, CALLING),
        (replace(CONFIG, mark=1337), LISTENS),
        (replace(CONFIG, pilot=replace(CONFIG.pilot, nodes="https://pilot.example:1")), LISTENS),
    ],
    ids=["called", "calling", "marked", "a pilot with a name"],
)
def test_envoy_accepts_it(config, listens, tmp_path):
    path = tmp_path / "envoy.json"
    path.write_text(bootstrap(config, listens))
    asked = [envoy(), "--mode", "validate", "-c", str(path), "--log-level", "error"]
    done = subprocess.run(asked, capture_output=True, text=True, timeout=CHECK_S)
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_it_says_of_itself_is_what_the_control_plane_reads():
    message = json_format.ParseDict(told(ORDERS, CALLING)["node"], Message())
    assert node_of(message) == Node(
        id="orders",
        service="orders",
        version="v2",
        inbound=CALLING["inbound"],
        outbound=CALLING["outbound"],
        app=ORDERS.app,
    )


def test_it_knows_the_control_plane_and_the_agent_and_no_policy():
    static = told()["static_resources"]
    assert static.keys() == {"clusters"}
    assert [each["name"] for each in static["clusters"]] == [PILOT, AGENT]


def test_its_key_comes_from_the_agent_and_stands_in_no_file():
    said = bootstrap(CONFIG, LISTENS)
    assert "PRIVATE KEY" not in said
    assert "filename" not in said
    context = told()["static_resources"]["clusters"][0]["transport_socket"]["typed_config"]
    (secret,) = context["common_tls_context"]["tls_certificate_sds_secret_configs"]
    source = secret["sds_config"]["api_config_source"]
    assert source["grpc_services"][0]["envoy_grpc"]["cluster_name"] == AGENT


def test_it_believes_nobody_else_to_be_the_control_plane():
    context = told()["static_resources"]["clusters"][0]["transport_socket"]["typed_config"]
    trust = context["common_tls_context"]["combined_validation_context"]
    (name,) = trust["default_validation_context"]["match_typed_subject_alt_names"]
    assert name == {"san_type": "URI", "matcher": {"exact": "spiffe://seven-eras/pilot"}}


def test_without_a_mark_its_sockets_have_none():
    assert "cluster_manager" not in told()
    assert "1337" in bootstrap(replace(CONFIG, mark=1337), LISTENS)


def test_it_shares_no_memory_which_would_be_left_behind_by_who_is_killed():
    assert "--disable-hot-restart" in command("envoy", "envoy.json")
