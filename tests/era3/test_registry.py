"""The registry: leases on virtual time, and who may write what."""

import socket
import time

import jwt
import pytest

from era3_inline_microservice import registry
from era3_inline_microservice.registry import Leases
from tests.era3.tokens import BAD_TOKENS, SECRET, bearer
from tests.shop import roles

MINE = bearer("inventory", "registry")
HERE = {"url": "http://127.0.0.1:4711", "lease_s": 2}


def names(leases: Leases, now: float, service: str = "inventory") -> list[str]:
    return [each["name"] for each in leases.instances(service, now)]


def test_an_instance_is_listed_until_its_lease_ends():
    leases = Leases()
    leases.renew("inventory", "inventory-1", "http://127.0.0.1:1", lease_s=2.0, now=10.0)
    assert names(leases, now=11.9) == ["inventory-1"]
    assert names(leases, now=12.0) == []


def test_a_heartbeat_prolongs_the_lease():
    leases = Leases()
    leases.renew("inventory", "inventory-1", "http://127.0.0.1:1", lease_s=2.0, now=10.0)
    leases.renew("inventory", "inventory-1", "http://127.0.0.1:1", lease_s=2.0, now=11.0)
    assert names(leases, now=12.9) == ["inventory-1"]
    assert names(leases, now=13.0) == []


def test_a_lease_that_ended_can_be_taken_again():
    leases = Leases()
    leases.renew("inventory", "inventory-1", "http://127.0.0.1:1", lease_s=2.0, now=0.0)
    assert names(leases, now=5.0) == []
    leases.renew("inventory", "inventory-1", "http://127.0.0.1:1", lease_s=2.0, now=5.0)
    assert names(leases, now=5.0) == ["inventory-1"]


def test_an_instance_that_moves_is_found_at_its_last_address():
    leases = Leases()
    leases.renew("inventory", "inventory-1", "http://127.0.0.1:1", lease_s=2.0, now=0.0)
    leases.renew("inventory", "inventory-1", "http://127.0.0.1:2", lease_s=2.0, now=0.1)
    assert leases.instances("inventory", now=1.0) == [
        {"name": "inventory-1", "url": "http://127.0.0.1:2"}
    ]


def test_services_do_not_see_each_others_instances():
    leases = Leases()
    leases.renew("inventory", "a", "http://127.0.0.1:1", lease_s=2.0, now=0.0)
    leases.renew("orders", "b", "http://127.0.0.1:2", lease_s=2.0, now=0.0)
    assert names(leases, 1.0, "inventory") == ["a"]
    assert names(leases, 1.0, "orders") == ["b"]


def test_whoever_gives_the_lease_back_is_gone_at_once():
    leases = Leases()
    leases.renew("inventory", "a", "http://127.0.0.1:1", lease_s=2.0, now=0.0)
    assert leases.give_back("inventory", "a")
    assert names(leases, now=0.0) == []
    assert not leases.give_back("inventory", "a")


@pytest.fixture
def client():
    return registry.routes(SECRET, ["127.0.0.0/8"]).test_client()


def listed(client) -> list[dict]:
    return client.get("/services/inventory").get_json()["instances"]


def test_who_registers_is_listed_and_who_gives_back_is_not(client):
    assert client.put("/services/inventory/a", json=HERE, headers=MINE).status_code == 200
    assert listed(client) == [{"name": "a", "url": HERE["url"]}]
    assert client.delete("/services/inventory/a", headers=MINE).status_code == 200
    assert listed(client) == []


def test_a_heart_that_stops_is_noticed(client, monkeypatch):
    now = 100.0
    monkeypatch.setattr(registry.time, "monotonic", lambda: now)
    client.put("/services/inventory/a", json=HERE, headers=MINE)
    now = 101.9
    assert listed(client)
    now = 102.0
    assert not listed(client)


@pytest.mark.parametrize("why", BAD_TOKENS)
@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_without_a_good_token_nothing_is_written(client, why, method):
    client.put("/services/inventory/a", json=HERE, headers=MINE)
    moved = {"url": "http://127.0.0.1:666", "lease_s": 2}
    headers = BAD_TOKENS[why] if why != "for another service" else bearer("inventory", "inventory")
    refused = client.open("/services/inventory/a", method=method, json=moved, headers=headers)
    assert refused.status_code == 401, refused.text
    assert listed(client) == [{"name": "a", "url": HERE["url"]}]


def test_a_service_writes_about_itself_only(client):
    refused = client.put("/services/inventory/a", json=HERE, headers=bearer("orders", "registry"))
    assert refused.status_code == 403
    assert listed(client) == []


def test_an_operator_may_write_for_every_service_and_the_lab_is_nobody(client):
    lab = bearer("lab", "registry")
    assert client.put("/services/inventory/a", json=HERE, headers=lab).status_code == 403
    headers = bearer("operator", "registry")
    assert client.put("/services/inventory/a", json=HERE, headers=headers).status_code == 200


@pytest.mark.parametrize(
    "url",
    [
        None,
        7,
        "",
        "http://10.0.0.1:80",  # outside
        "http://169.254.169.254:80",  # what attackers like to reach
        "http://localhost:80",  # names may be made to mean anything later
        "http://127.0.0.1",
        "http://127.0.0.1:0",
        "http://127.0.0.1:65536",
        "https://127.0.0.1:80",
        "http://127.0.0.1:80/path",
        "http://user@127.0.0.1:80",
        "http://127.0.0.1:80\n",
        "http://127.1:80",
        "http://[::1]:80",
        "ftp://127.0.0.1:80",
    ],
)
def test_an_address_outside_the_allowed_networks_is_refused_with_what_is_accepted(client, url):
    asked = {"url": url, "lease_s": 2}
    refused = client.put("/services/inventory/a", json=asked, headers=MINE)
    assert refused.status_code == 400
    assert "accepted: http://IP:PORT inside 127.0.0.0/8" in refused.get_json()["detail"]
    assert listed(client) == []


def test_other_networks_can_be_allowed():
    client = registry.routes(SECRET, ["10.7.0.0/24", "127.0.0.0/8"]).test_client()
    for url, status in [("http://10.7.0.2:80", 200), ("http://10.7.1.2:80", 400)]:
        answer = client.put("/services/inventory/a", json={"url": url, "lease_s": 2}, headers=MINE)
        assert answer.status_code == status


@pytest.mark.parametrize("lease_s", [None, "2", True, 0, 0.09, 3601, -1, 1e999, float("nan"), []])
def test_a_lease_has_a_length_that_makes_sense(client, lease_s):
    asked = HERE | {"lease_s": lease_s}
    refused = client.put("/services/inventory/a", json=asked, headers=MINE)
    assert refused.status_code == 400
    assert "accepted: seconds from 0.1 to 3600" in refused.get_json()["detail"]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff", b"[" * 50_000])
def test_a_body_that_is_no_object_is_refused(client, body):
    refused = client.put("/services/inventory/a", data=body, headers=MINE)
    assert refused.status_code == 400
    assert "accepted: a JSON object" in refused.get_json()["detail"]


@pytest.mark.parametrize("name", ["-a", "a b", "ä", "x" * 65])
def test_a_name_is_one_that_can_be_printed_anywhere(client, name):
    refused = client.put(f"/services/inventory/{name}", json=HERE, headers=MINE)
    assert refused.status_code == 400
    assert "accepted: 1 to 64 of" in refused.get_json()["detail"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/", b"", 404),
        ("POST", "/services/inventory", b"{}", 405),
        ("PUT", "/services/inventory/a", b"x" * 70_000, 413),
    ],
)
def test_what_is_not_there_is_answered_with_what_is(client, method, path, body, status):
    answer = client.open(path, method=method, data=body, headers=MINE)
    assert answer.status_code == status
    assert answer.mimetype == "application/problem+json"
    assert "accepted: GET /services/SERVICE" in answer.get_json()["detail"]


def test_a_token_of_a_clock_that_is_seconds_off_is_good(client):
    for life_s in (-3, 60):
        ahead = jwt.encode(
            {
                "sub": "inventory",
                "aud": "registry",
                "iat": time.time() + 3,
                "exp": time.time() + life_s,
            },
            SECRET,
            "HS256",
        )
        headers = {"Authorization": f"Bearer {ahead}"}
        assert client.put("/services/inventory/a", json=HERE, headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (f"Content-Length: {1 << 21}\r\n", b"413"),
        (f"X-Long: {'x' * 40_000}\r\n", b"431"),
    ],
)
def test_what_is_too_large_is_refused_before_it_is_there(tmp_path, head, status):
    """Neither is ever sent whole: who waited for the rest would not answer."""
    secret = tmp_path / "secret"
    secret.write_bytes(SECRET)
    told = ["--listen", "http://127.0.0.1:0", "--secret", secret]
    with roles.role("era3_inline_microservice", "registry", *told) as (_, url):
        host, port = url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=10) as caller:
            line = "PUT /services/inventory/a HTTP/1.1\r\nHost: registry\r\n"
            caller.sendall((line + head + ("" if status == b"431" else "\r\n")).encode())
            assert caller.recv(1000).split()[1] == status


def test_a_network_that_is_none_is_named():
    with pytest.raises(ValueError, match="'loopback'"):
        registry.routes(SECRET, ["loopback"])
