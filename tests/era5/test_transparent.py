"""Transparent: whatever a service sends is led to its sidecar, by the kernel, without root.

The strays (strays.py) run in the host of orders or inventory, with the rights of a service.
"""

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from scapy.layers.inet import TCP
from scapy.utils import PcapNgReader

from era5_sidecar.certificates import main as make_certificates
from era5_sidecar.transparent import use_mark, was_going_to
from lab.find import ROOT, child_environment
from lab.processes import children_of
from lab.stage import Stage
from lab.wire.divert import MARK, Openings, available_here, confined, hosts_file, marking, rules
from lab.wire.namespaces import HostError

STRAYS = Path(__file__).with_name("strays.py")
ORDERS, INVENTORY = "10.7.0.1", "10.7.0.2"
OUTSIDE = "192.0.2.1"  # RFC 5737: nobody's
TLS_HELLO = "160301"
TIMEOUT_S = 30
REQUESTS = (b"GET /", b"PUT /", b"DELETE /", b"POST /")
ORDINARY = ["unshare", "--user", "--map-user=1000", "--map-group=1000"]

real = pytest.mark.skipif(bool(available_here()), reason=str(available_here()))


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


@pytest.fixture(scope="module")
def capture(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("transparent") / "wire.pcapng"


@pytest.fixture(scope="module")
def shop(seed, capture, tmp_path_factory):
    folder = tmp_path_factory.mktemp("shop")
    with Stage(
        "5", "real", seed=seed, directory=folder, instances=2, pcap=capture, transparent=True
    ) as shop:
        yield shop
        for role in shop.roles:
            shop.crash(role)  # asked kindly, each would see its callers off first


def socket_folder(shop: Stage, role: str) -> Path:
    return Path(shop.address(role).removeprefix("unix:")).parent


def port_of(url: str) -> str:
    return url.rpartition(":")[2]


def as_service(shop: Stage, *deed: str, host: str = "orders") -> str:
    """What comes of a stray's deed with the rights of orders, or of an inventory."""
    mine = socket_folder(shop, "orders" if host == "orders" else "inventory-1")
    hide = [mine.parent, shop.directory / "certificates", shop.secret]
    command = [sys.executable, str(STRAYS), *deed]
    return _run(shop, host, confined(command, hosts=hosts_file(["inventory"]), hide=hide))


def as_sidecar(shop: Stage, *deed: str) -> str:
    """The same in orders' host, with the right to set a mark."""
    return _run(shop, "orders", marking([sys.executable, str(STRAYS), *deed]))


def _run(shop: Stage, host: str, command: list[str]) -> str:
    inside = shop.wire.orders if host == "orders" else shop.wire.inventory
    told = subprocess.run(
        [*inside.argv_prefix(), *command], capture_output=True, text=True, timeout=TIMEOUT_S
    )
    assert not told.returncode, told.stderr
    return told.stdout.strip()


def capabilities(pid: int) -> dict[str, int]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    fields = (line.partition(":") for line in lines if line.startswith(("Cap", "NoNewPrivs")))
    return {name: int(value, 16) for name, _, value in fields}


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


def stray_addresses(shop: Stage) -> dict[str, str]:
    return {
        "the sidecar of inventory": shop.address("inventory-1-sidecar"),
        "the registry": shop.registry_url,
        "another port": f"http://{INVENTORY}:8000",
        "outside": f"http://{OUTSIDE}:80",
        "its own host": f"http://{ORDERS}:8000",
        "loopback": "http://127.0.0.1:8000",
        "the admin of its own sidecar": admin_of(shop, "orders-sidecar"),
    }


def admin_of(shop: Stage, role: str) -> str:
    line = next(each for each in shop.logs(role).splitlines() if "sidecar listens" in each)
    return line.rpartition("admin=")[2]


WHERE = ["the sidecar of inventory", "the registry", "another port", "outside"]
WHERE += ["its own host", "loopback", "the admin of its own sidecar"]


@real
@pytest.mark.parametrize("where", WHERE)
def test_who_dials_an_address_directly_is_answered_by_the_sidecar(shop, where):
    url = stray_addresses(shop)[where]
    status, _, body = as_service(shop, "ask", f"{url}/ready").partition(" ")
    told = json.loads(body)
    assert (status, told["outcome"], told["certain"]) == ("503", "unavailable", True)
    dialled = url.removeprefix("http://")
    assert told["detail"] == f"no service of this name; accepted: inventory; dialled was {dialled}"


@real
def test_who_dials_an_instance_and_names_the_service_is_served_as_the_sidecar_decides(shop):
    url = shop.address("inventory-1-sidecar")
    answer = as_service(shop, "ask", f"{url}/catalogue", "inventory")
    assert answer.startswith("200 ")
    assert "sku-0001" in answer


@real
def test_bytes_that_are_no_http_end_at_the_sidecar(shop):
    heard = as_service(shop, "speak", INVENTORY, "5432", TLS_HELLO + "00" * 40)
    assert heard.startswith("closed after 'HTTP/1.1 400")


@real
@pytest.mark.parametrize(
    "deed",
    [
        ("raw",),
        ("packet",),
        ("mark", str(MARK)),
        ("run", "nft", "flush", "ruleset"),
        ("run", "ip", "route", "add", "default", "dev", "lo"),
        ("run", "umount", "/etc/hosts"),
        ("run", "unshare", "--net", "true"),
    ],
    ids=lambda deed: "-".join(deed[:3]),
)
def test_what_could_open_another_way_is_not_permitted(shop, deed):
    told = as_service(shop, *deed)
    assert "EPERM" in told or "ermitted" in told or "superuser" in told, told


@real
def test_a_datagram_goes_nowhere(shop):
    assert as_service(shop, "datagram", INVENTORY, "53") in (
        "EPERM PermissionError",
        "ECONNREFUSED ConnectionRefusedError",
    )


@real
@pytest.mark.parametrize("deed", ["enter", "peek"])
def test_the_rights_of_a_sidecar_cannot_be_borrowed(shop, deed):
    for pid in (shop.pid("orders-sidecar"), shop.wire.orders.pid):
        assert as_service(shop, deed, str(pid)).split()[0] in ("EPERM", "EACCES")


@real
def test_a_namespace_of_its_own_has_no_wire(shop):
    assert as_service(shop, "renew") in ("lo", "EPERM PermissionError", "ENOSPC OSError")


@real
def test_neither_sockets_nor_keys_of_others_are_to_be_seen(shop):
    """They share a disk here, as machines do not."""
    assert as_service(shop, "see", str(socket_folder(shop, "orders").parent)) == ""
    assert as_service(shop, "see", str(shop.directory / "certificates")) == ""
    assert as_service(shop, "see", str(shop.secret)) == ""
    seen = f"/proc/{shop.pid('orders')}/mountinfo"
    mounts = Path(seen).read_text()
    for hidden in (socket_folder(shop, "orders").parent, shop.directory / "certificates"):
        assert f" {hidden} " in mounts


@real
@pytest.mark.parametrize("where", WHERE)
def test_an_inventory_calls_nobody(shop, where):
    url = stray_addresses(shop)[where]
    told = as_service(shop, "ask", url, host="inventory")
    assert told == "ECONNREFUSED ConnectionRefusedError"


@real
def test_nothing_readable_is_on_the_wire_but_what_is_said_to_the_registry(shop, capture):
    assert shop.customer().place("unseen", "sku-0001", 1)["outcome"] == "placed"
    as_service(shop, "ask", f"http://{INVENTORY}:8000/stray")
    registry = int(port_of(shop.registry_url))
    sidecars = {int(port_of(shop.address(f"inventory-{n}-sidecar"))) for n in (1, 2)}
    ports, plain, encrypted = set(), [], 0
    with PcapNgReader(str(capture)) as frames:
        for frame in frames:
            segment, text = frame[TCP], bytes(frame[TCP].payload)
            ends = {segment.sport, segment.dport}
            ports |= ends & {registry, *sidecars}
            assert ends & {registry, *sidecars}, frame.summary()
            encrypted += text.startswith(b"\x17\x03\x03")  # RFC 8446, section 5.2
            if registry not in ends and (b"HTTP/1." in text or text.startswith(REQUESTS)):
                plain.append(frame)
    assert plain == []
    assert encrypted
    assert registry in ports


# ---- who comes in from the wire, past the rules of orders' host


@real
def test_a_port_that_a_service_opens_is_not_reached_from_the_wire(shop):
    listen = (
        "import socket; server = socket.create_server(('0.0.0.0', 0));"
        "print(server.getsockname()[1], flush=True); server.accept()"
    )
    inside = shop.wire.inventory.argv_prefix()
    command = [*inside, *confined([sys.executable, "-c", listen])]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout
            port = server.stdout.readline().strip()
            told = as_sidecar(shop, "marked_ask", str(MARK), INVENTORY, port)
            assert told == "ECONNREFUSED ConnectionRefusedError"
        finally:
            server.kill()


def knock(shop: Stage, *files: Path) -> str:
    port = port_of(shop.address("inventory-1-sidecar"))
    return as_sidecar(shop, "marked_ask", str(MARK), INVENTORY, port, *map(str, files))


@real
def test_from_the_wire_a_sidecar_hears_those_of_its_authority_only(shop, tmp_path):
    ours = shop.directory / "certificates"
    make_certificates(tmp_path, ["orders"])
    assert "200" in knock(shop, *(ours / each for each in OF_ORDERS))  # 1. it can be asked
    assert "HTTP" not in knock(shop)  # 2. in plain text
    assert "HTTP" not in knock(shop, ours / "authority.pem")  # 3. without a certificate
    strangers = [ours / "authority.pem", tmp_path / "orders.pem", tmp_path / "orders.key"]
    assert "HTTP" not in knock(shop, *strangers)  # 4. with one of another authority


OF_ORDERS = ("authority.pem", "orders.pem", "orders.key")


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
    assert told == "ECONNREFUSED ConnectionRefusedError"
    shop.restart("orders-sidecar")
    assert shop.customer().place("back", "sku-0001", 1)["outcome"] == "placed"


ROOTLESS = """
from lab.stage import Stage
with Stage("5", "real", transparent=True, instances=1) as shop:
    print(shop.customer().place("rootless", "sku-0001", 1)["outcome"])
"""


@real
def test_all_of_it_needs_no_root():
    """As a user who is not root and has no capability, whoever runs this suite."""
    told = subprocess.run(
        [*ORDINARY, sys.executable, "-c", f"import os; assert os.getuid() == 1000\n{ROOTLESS}"],
        env=child_environment(),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
    )
    assert told.stdout.strip() == "placed", told.stderr


@real
def test_a_machine_that_forbids_namespaces_is_told_before_anything_starts(monkeypatch):
    monkeypatch.setattr("lab.cast.diverted.available_here", lambda: "no nft: install it")
    with pytest.raises(HostError, match="no nft"):
        Stage("5", "real", transparent=True)
