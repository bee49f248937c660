"""Mutual TLS with real handshakes: who is let in, and who is not."""

import asyncio
import dataclasses
import socket
import ssl
import threading
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from era4_framework.errors import NotKnown
from era5_sidecar.certificates import Authority, Pair
from era5_sidecar.config import ConfigError, TlsConfig
from era5_sidecar.tls import client_context, peer_name, server_context

PATIENCE_S = 10.0


@pytest.fixture(scope="module")
def shop() -> Authority:
    return Authority.new()


@pytest.fixture(scope="module")
def stranger() -> Authority:
    return Authority.new()


def files(folder: Path, authority: Authority, pair: Pair, name: str) -> TlsConfig:
    """Files for a sidecar that has this pair and believes this authority."""
    pair.write(folder, name)
    authority.pair().write(folder, f"{name}-authority")
    paths = (folder / f"{name}.pem", folder / f"{name}.key", folder / f"{name}-authority.pem")
    return TlsConfig(*map(str, paths))


def shake(server: ssl.SSLContext, client: ssl.SSLContext, asked: str = "inventory"):
    """A whole handshake over a socket pair: what each side learns of the other, or its error."""
    found = {}

    def serve() -> None:
        try:
            with server.wrap_socket(theirs, server_side=True) as connection:
                found["caller"] = peer_name(connection)
                connection.sendall(b"hello")
        except (OSError, NotKnown) as error:
            found["caller"] = error

    ours, theirs = socket.socketpair()
    for each in (ours, theirs):
        each.settimeout(PATIENCE_S)
    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with client.wrap_socket(ours, server_hostname=asked) as connection:
            found["callee"] = peer_name(connection)
            # in TLS 1.3 a caller learns only here that it was refused: RFC 8446, appendix E.1.2
            found["heard"] = connection.recv(5)
            found["version"] = connection.version()
    except (OSError, NotKnown) as error:
        found["heard"] = error
    finally:
        ours.close()
        thread.join(PATIENCE_S)
        theirs.close()
    return found


@pytest.fixture
def inventory(tmp_path, shop) -> TlsConfig:
    return files(tmp_path, shop, shop.issue("inventory"), "inventory")


@pytest.fixture
def orders(tmp_path, shop) -> TlsConfig:
    return files(tmp_path, shop, shop.issue("orders"), "orders")


def test_both_sides_learn_who_the_other_is(inventory, orders):
    found = shake(server_context(inventory), client_context(orders))
    assert found == {
        "caller": "orders",
        "callee": "inventory",
        "heard": b"hello",
        "version": "TLSv1.3",
    }


def was_refused(found: dict, by: str) -> bool:
    """Neither side served the other, and `by` is who refused."""
    assert isinstance(found["heard"], OSError), found
    assert isinstance(found[by], OSError), found
    return True


def test_a_caller_without_a_certificate_is_refused(inventory):
    nobody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    nobody.load_verify_locations(inventory.authority)
    found = shake(server_context(inventory), nobody)
    assert was_refused(found, "caller")
    assert "PEER_DID_NOT_RETURN_A_CERTIFICATE" in str(found["caller"])


def test_a_caller_with_a_stranger_s_certificate_is_refused(tmp_path, inventory, shop, stranger):
    forged = files(tmp_path, shop, stranger.issue("orders"), "forged")
    found = shake(server_context(inventory), client_context(forged))
    assert was_refused(found, "caller")
    assert "CERTIFICATE_VERIFY_FAILED" in str(found["caller"])


@pytest.mark.parametrize(
    ("begin_s", "life_s", "why"), [(-20, -10, "has expired"), (3600, 7200, "is not yet valid")]
)
def test_a_certificate_out_of_its_time_is_refused_on_either_side(
    tmp_path, shop, inventory, orders, begin_s, life_s, why
):
    old = files(tmp_path, shop, shop.issue("orders", life_s, begin_s), "old-orders")
    found = shake(server_context(inventory), client_context(old))
    assert was_refused(found, "caller")
    assert why in str(found["caller"])
    old = files(tmp_path, shop, shop.issue("inventory", life_s, begin_s), "old-inventory")
    found = shake(server_context(old), client_context(orders))
    assert was_refused(found, "heard")
    assert why in str(found["heard"])


def test_a_callee_that_is_another_service_is_refused(tmp_path, shop, orders):
    other = files(tmp_path, shop, shop.issue("reports"), "reports")
    found = shake(server_context(other), client_context(orders))
    assert was_refused(found, "heard")
    assert "Hostname mismatch" in str(found["heard"])


def test_a_callee_with_a_stranger_s_certificate_is_refused(tmp_path, shop, stranger, orders):
    forged = files(tmp_path, shop, stranger.issue("inventory"), "forged")
    assert was_refused(shake(server_context(forged), client_context(orders)), "heard")


def test_one_service_cannot_sign_for_another(tmp_path, shop, inventory):
    """A leaf is no authority, even if its own comes along."""
    leaf = shop.issue("reports")
    certificate = x509.load_pem_x509_certificate(leaf.certificate)
    key = serialization.load_pem_private_key(leaf.key, password=None)
    forged = Authority(certificate, key).issue("orders")
    chain = Pair(forged.certificate + leaf.certificate, forged.key)
    told = files(tmp_path, shop, chain, "chain")
    assert was_refused(shake(server_context(inventory), client_context(told)), "caller")


def test_older_tls_is_refused(inventory, orders):
    old = client_context(orders)
    old.minimum_version = ssl.TLSVersion.TLSv1_2
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    assert was_refused(shake(server_context(inventory), old), "caller")


class Peer:
    """What an SSL object says of the other side's certificate."""

    def __init__(self, *names: tuple[str, str]) -> None:
        self.names = names

    def getpeercert(self) -> dict:
        return {"subjectAltName": self.names} if self.names else {}


OURS = ("URI", "spiffe://seven-eras/orders")


@pytest.mark.parametrize(
    "names",
    [
        (),
        (("DNS", "orders"),),
        (("URI", "spiffe://other-shop/orders"),),
        (("URI", "spiffe://seven-eras/"),),
        (("URI", "spiffe://seven-eras/a/b"),),
        (("URI", "spiffe://seven-eras/a\nb"),),
        (OURS, ("URI", "spiffe://seven-eras/reports")),
        (OURS, ("URI", "https://orders")),
    ],
)
def test_a_certificate_without_exactly_one_name_is_nobody(names):
    with pytest.raises(NotKnown, match="accepted: a certificate with one URI"):
        peer_name(Peer(*names))


def test_a_certificate_with_one_name_is_somebody():
    assert peer_name(Peer(("DNS", "orders"), OURS)) == "orders"


def test_it_goes_the_same_way_through_an_event_loop(inventory, orders):
    async def call() -> list[str]:
        heard = []

        async def meet(reader, writer) -> None:
            heard.append(peer_name(writer.get_extra_info("ssl_object")))
            writer.close()

        server = await asyncio.start_server(meet, "127.0.0.1", 0, ssl=server_context(inventory))
        port = server.sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", port, ssl=client_context(orders), server_hostname="inventory"
        )
        heard.append(peer_name(writer.get_extra_info("ssl_object")))
        await reader.read()
        writer.close()
        server.close()
        return sorted(heard)

    assert asyncio.run(call()) == ["inventory", "orders"]


# Files that cannot be used.


@pytest.mark.parametrize("make", [server_context, client_context])
@pytest.mark.parametrize("field", ["certificate", "key", "authority"])
@pytest.mark.parametrize("content", [None, b"", b"\x00\xff", b"-----BEGIN CERTIFICATE-----\nx\n"])
def test_a_file_that_cannot_be_used_is_refused_by_its_key(tmp_path, orders, make, field, content):
    bad = tmp_path / "canary.pem"
    if content is not None:
        bad.write_bytes(content)
    with pytest.raises(ConfigError, match="accepted is") as refused:
        make(dataclasses.replace(orders, **{field: str(bad)}))
    is_named = refused.value.key == f"tls.{field}"
    assert is_named or (
        field == "key" and refused.value.key == "tls.certificate" and content is not None
    )


def test_a_key_of_another_certificate_is_refused(orders, inventory):
    with pytest.raises(ConfigError, match="KEY_VALUES_MISMATCH"):
        client_context(dataclasses.replace(orders, key=inventory.key))


def test_a_key_with_a_password_is_refused_and_nobody_is_asked_for_it(tmp_path, orders):
    key = serialization.load_pem_private_key(Path(orders.key).read_bytes(), password=None)
    form = serialization.PrivateFormat.PKCS8
    locked = serialization.BestAvailableEncryption(b"canary")
    path = tmp_path / "locked.key"
    path.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, locked))
    with pytest.raises(ConfigError, match="the key has a password"):
        client_context(dataclasses.replace(orders, key=str(path)))


def test_no_error_tells_what_is_in_a_key(tmp_path, orders):
    secret = Path(orders.key).read_text().splitlines()[1]
    swapped = dataclasses.replace(orders, certificate=orders.key, authority=orders.key)
    with pytest.raises(ConfigError) as refused:
        server_context(swapped)
    assert secret not in str(refused.value)
