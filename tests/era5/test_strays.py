"""Whoever dials past his sidecar ends at it, or nowhere; and who comes in from the wire likewise.

The strays run in the host of orders or inventory, with the rights of a service.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from scapy.layers.inet import TCP
from scapy.utils import PcapNgReader

from era5_sidecar.certificates import main as make_certificates
from lab.stage import Stage
from lab.wire.divert import MARK, confined
from tests.era5.rights import (
    INVENTORY,
    REFUSED,
    WHERE,
    as_service,
    as_service_all,
    as_sidecar,
    port_of,
    real,
    socket_folder,
    stray_addresses,
)

TLS_HELLO = "160301"
REQUESTS = (b"GET /", b"PUT /", b"DELETE /", b"POST /")


@pytest.fixture(scope="module")
def dialled(shop) -> dict[str, str]:
    """What orders heard where it dialled directly."""
    deeds = [["ask", f"{url}/ready"] for url in stray_addresses(shop).values()]
    return dict(zip(stray_addresses(shop), as_service_all(shop, deeds), strict=True))


@pytest.fixture(scope="module")
def dialled_by_inventory(shop) -> dict[str, str]:
    deeds = [["ask", url] for url in stray_addresses(shop).values()]
    heard = as_service_all(shop, deeds, host="inventory")
    return dict(zip(stray_addresses(shop), heard, strict=True))


@real
@pytest.mark.parametrize("where", WHERE)
def test_who_dials_an_address_directly_is_answered_by_the_sidecar(shop, dialled, where):
    url = stray_addresses(shop)[where]
    status, _, body = dialled[where].partition(" ")
    told = json.loads(body)
    assert (status, told["outcome"], told["certain"]) == ("503", "unavailable", True)
    place = url.removeprefix("http://")
    assert told["detail"] == f"no service of this name; accepted: inventory; dialled was {place}"


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


ANOTHER_WAY = [
    ["raw"],
    ["packet"],
    ["mark", str(MARK)],
    ["run", "nft", "flush", "ruleset"],
    ["run", "ip", "route", "add", "default", "dev", "lo"],
    ["run", "umount", "/etc/hosts"],
    ["run", "unshare", "--net", "true"],
]


@real
def test_what_could_open_another_way_is_not_permitted(shop):
    for deed, told in zip(ANOTHER_WAY, as_service_all(shop, ANOTHER_WAY), strict=True):
        assert "EPERM" in told or "ermitted" in told or "superuser" in told, (deed, told)


@real
def test_a_datagram_goes_nowhere(shop):
    assert as_service(shop, "datagram", INVENTORY, "53") in (
        "EPERM PermissionError",
        REFUSED,
    )


@real
def test_the_rights_of_a_sidecar_cannot_be_borrowed(shop):
    pids = (shop.pid("orders-sidecar"), shop.wire.orders.pid)
    deeds = [[deed, str(pid)] for deed in ("enter", "peek") for pid in pids]
    for told in as_service_all(shop, deeds):
        assert told.split()[0] in ("EPERM", "EACCES")


@real
def test_a_namespace_of_its_own_has_no_wire(shop):
    assert as_service(shop, "renew") in ("lo", "EPERM PermissionError", "ENOSPC OSError")


@real
def test_neither_sockets_nor_keys_of_others_are_to_be_seen(shop):
    """They share a disk here, as machines do not."""
    hidden_from_it = (
        socket_folder(shop, "orders").parent,
        shop.directory / "certificates",
        shop.secret,
    )
    assert as_service_all(shop, [["see", str(each)] for each in hidden_from_it]) == ["", "", ""]
    seen = f"/proc/{shop.pid('orders')}/mountinfo"
    mounts = Path(seen).read_text()
    for hidden in (socket_folder(shop, "orders").parent, shop.directory / "certificates"):
        assert f" {hidden} " in mounts


@real
@pytest.mark.parametrize("where", WHERE)
def test_an_inventory_calls_nobody(dialled_by_inventory, where):
    assert dialled_by_inventory[where] == REFUSED


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
            assert told == REFUSED
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
