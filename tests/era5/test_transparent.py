"""Transparent: whatever a service sends is led to its sidecar, by the kernel, without root.

What tries to escape is in test_strays.py.
"""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from era5_sidecar.transparent import use_mark, was_going_to
from lab.find import ROOT, child_environment
from lab.processes import children_of
from lab.stage import Stage
from lab.wire.divert import Openings, confined, hosts_file, rules
from lab.wire.namespaces import HostError
from tests.era5.rights import INVENTORY, OUTSIDE, REFUSED, TIMEOUT_S, as_service, capabilities, real

ORDINARY = ["unshare", "--user", "--map-user=1000", "--map-group=1000"]


# ---- the rules, as text


def chains(openings: Openings) -> dict[str, list[str]]:
    """The lines of each chain."""
    found: dict[str, list[str]] = {}
    for line in rules(openings, mark=9).splitlines():
        if "chain" in line:
            lines = found.setdefault(line.split()[1], [])
        elif found and line.strip() not in ("", "}"):
            lines.append(line.strip())
    return found


def test_before_a_sidecar_listens_nothing_goes_out_or_in():
    told = chains(Openings())
    assert told["divert"][1:] == ["meta mark 9 accept"]
    assert not any("dport" in line for lines in told.values() for line in lines)
    for name in ("leave", "enter"):
        assert any("== syn reject" in line for line in told[name])


def test_what_a_service_sends_is_led_to_the_outbound_listener_unless_it_is_marked():
    told = chains(Openings(outbound=7000, inside=(7001,)))["divert"]
    assert told[1:] == [
        "meta mark 9 accept",
        "ip daddr 127.0.0.1 tcp dport { 7001 } accept",
        "meta l4proto tcp redirect to :7000",
    ]


def test_from_the_wire_only_sidecars_are_reached():
    assert "tcp dport { 7001, 7002 } accept" in chains(Openings(wire=(7001, 7002)))["enter"]


def test_a_service_finds_every_name_at_an_address_of_nobodys():
    assert hosts_file(["a", "b"]).splitlines()[1:] == ["198.18.0.1 a", "198.18.0.2 b"]


# ---- the sidecar's part


def test_whoever_was_not_redirected_was_going_to_nobody_else():
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()),
    ):
        accepted, _ = server.accept()
        with accepted:
            assert was_going_to(accepted) == ""


def test_no_mark_needs_no_right():
    use_mark(0)


ALONE = """service = "orders"
instance = "orders"
app = "unix:app.sock"
admin_listen = "http://127.0.0.1:0"
mark = 9
inbound = { listen = "http://127.0.0.1:0" }
"""


@real
def test_a_mark_without_the_right_is_refused_at_the_start_with_its_line(tmp_path):
    path = tmp_path / "sidecar.toml"
    path.write_text(ALONE)
    told = subprocess.run(
        confined([sys.executable, "-m", "era5_sidecar", "proxy", "--config", str(path)]),
        env=child_environment(),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
    )
    assert told.returncode
    assert "line 5: mark is 9, which cannot be set" in told.stderr
    assert "CAP_NET_ADMIN" in told.stderr


@pytest.mark.parametrize(
    ("era", "form", "told"),
    [
        ("4", "real", "era 4 has no sidecars, era 5 has"),
        ("5", "portable", "accepted on a real wire"),
    ],
)
def test_a_stage_that_cannot_be_transparent_says_why(era, form, told):
    with pytest.raises(ValueError, match=told):
        Stage(era, form, transparent=True)


# ---- a shop that is transparent


@real
def test_the_shop_works_and_nobody_was_told_of_a_proxy(shop):
    customer = shop.customer()
    assert customer.place("works-1", "sku-0001", 2)["outcome"] == "placed"
    assert customer.cancel("works-1")["outcome"] == "cancelled"
    assert customer.catalogue()["outcome"] == "catalogue"
    for role in ("orders", "inventory-1", "inventory-2"):
        environment = Path(f"/proc/{shop.pid(role)}/environ").read_bytes().lower()
        assert b"_proxy=" not in environment


@real
@pytest.mark.parametrize("role", ["orders", "inventory-1", "inventory-2"])
def test_a_service_has_no_right_and_can_get_none(shop, role):
    assert set(capabilities(shop.pid(role)).items()) == {
        *((f"Cap{name}", 0) for name in ("Inh", "Prm", "Eff", "Bnd", "Amb")),
        ("NoNewPrivs", 1),
    }


@real
@pytest.mark.parametrize("role", ["orders-sidecar", "inventory-1-sidecar"])
def test_a_sidecar_may_mark_and_nothing_else(shop, role):
    for pid in (shop.pid(role), *children_of(shop.pid(role))):
        told = capabilities(pid)
        assert told["CapEff"] == told["CapPrm"] == told["CapBnd"] == 1 << 12
        assert told["NoNewPrivs"] == 1


# ---- what operators do


@real
def test_a_killed_an_upgraded_and_a_reloaded_sidecar_catch_as_before(shop):
    place = shop.customer().place
    shop.kill("orders-sidecar")
    assert place("killed", "sku-0001", 1)["outcome"] == "placed"
    shop.upgrade("orders-sidecar")
    assert place("upgraded", "sku-0001", 1)["outcome"] == "placed"
    shop.change_policy("orders", "retry.attempts", 2)
    shop.add()
    shop.move("inventory-1")
    shop.restart("orders")
    assert place("moved", "sku-0001", 1)["outcome"] == "placed"
    assert as_service(shop, "ask", f"http://{OUTSIDE}/").startswith("503 ")


@real
def test_without_its_sidecar_a_service_reaches_nobody(shop):
    shop.crash("orders-sidecar")
    told = as_service(shop, "ask", f"http://{INVENTORY}:8000/")
    assert told == REFUSED
    shop.restart("orders-sidecar")
    assert shop.customer().place("back", "sku-0001", 1)["outcome"] == "placed"


@real
def test_a_learner_has_it_by_one_option_and_needs_no_root():
    """As a user who is not root and has no capability, whoever runs this suite."""
    up = [sys.executable, "-m", "lab", "up", "5", "--transparent", "--instances", "1"]
    told = subprocess.run(
        [*ORDINARY, "sh", "-c", 'id -u && exec "$@"', "sh", *up],
        input="place o-1 sku-0001 2\nquit\n",
        env=child_environment(),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
    )
    assert told.stdout.startswith("1000\n")
    assert "placed: 2 of sku-0001 as o-1" in told.stdout, told.stderr


@real
def test_a_machine_that_forbids_namespaces_is_told_before_anything_starts(monkeypatch):
    monkeypatch.setattr("lab.cast.diverted.available_here", lambda: "no nft: install it")
    with pytest.raises(HostError, match="no nft"):
        Stage("5", "real", transparent=True)
