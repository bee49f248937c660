"""Ways into a shop that lives elsewhere: a door in another namespace, and its counter's address."""

import socket
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import jwt
import pytest

from lab.cast import door, registrar
from lab.contract import CustomerTimeout, CutOff, ShopClosed
from lab.doors import customer_at, door_at, without_user


class Shop(BaseHTTPRequestHandler):
    """Has every order, and keeps what it was asked."""

    wbufsize = -1
    asked: list = []  # noqa: RUF012

    def do_GET(self):
        sent = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.asked.append((self.command, self.path, dict(self.headers), sent))
        body = b'{"outcome": "placed", "filler": "' + b"x" * 300_000 + b'"}'
        self.send_response(403 if "forbidden" in self.path else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_PUT = do_GET

    def log_message(self, *_): ...


@pytest.fixture
def shop():
    """The address of a shop."""
    Shop.asked.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), Shop) as server:
        threading.Thread(target=server.serve_forever, args=[0.02], daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def opened():
    """Opens a door to an address; returns the path of its socket."""
    running = []

    def open_door(tmp_path: Path, address: str) -> Path:
        path = tmp_path / "door"
        argv = [sys.executable, "-I", "-S", door.__file__, str(path), address]
        running.append(subprocess.Popen(argv, stdout=subprocess.PIPE))
        assert running[-1].stdout.readline() == f"door ready at unix:{path}\n".encode()
        return path

    yield open_door
    for each in running:
        each.kill()
        each.wait()
        each.stdout.close()


def test_an_answer_comes_whole_through_a_door(shop, opened, tmp_path):
    customer = customer_at(f"http+unix:{opened(tmp_path, shop)}")
    for _ in range(3):
        assert len(customer.show("o-1")["filler"]) == 300_000
    assert [path for _, path, _, _ in Shop.asked] == ["/orders/o-1"] * 3


def test_behind_a_door_a_closed_shop_cuts_off_and_a_silent_one_hangs(opened, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        host, port = silent.getsockname()
        customer = customer_at(f"http+unix:{opened(tmp_path, f'http://{host}:{port}')}")
        with pytest.raises(CustomerTimeout):
            customer.show("o-1", timeout_s=0.1)
    with pytest.raises(CutOff):
        customer.show("o-1")


def test_where_no_door_is_the_shop_is_closed(tmp_path):
    with pytest.raises(ShopClosed, match=r"nobody at .*nowhere"):
        customer_at(f"http+unix:{tmp_path / 'nowhere'}").show("o-1")


def test_the_lab_registers_with_an_operators_token(shop, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("s" * 64 + "\n")
    registrar.register(shop, secret, "inventory", "inventory-2", "http://127.0.0.1:9")
    ((method, path, headers, body),) = Shop.asked
    assert (method, path) == ("PUT", "/services/inventory/inventory-2")
    assert body == b'{"url": "http://127.0.0.1:9", "lease_s": 3600.0}'
    token = headers["Authorization"].removeprefix("Bearer ")
    claims = jwt.decode(token, "s" * 64, algorithms=["HS256"], audience="registry")
    assert claims["sub"] == "operator"
    assert claims["exp"] - claims["iat"] == registrar.TOKEN_S


def test_a_registry_that_refuses_is_quoted(shop, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("s" * 64)
    with pytest.raises(ValueError, match="403"):
        registrar.register(shop, secret, "forbidden", "inventory-2", "http://127.0.0.1:9")


def test_a_shop_at_a_url_needs_no_door(shop):
    assert customer_at(shop).place("o-1", "sku-0001", 2)["outcome"] == "placed"
    assert Shop.asked[0][:2] == ("PUT", "/orders/o-1")


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("http://alice:secret@127.0.0.1:80/shop", "http://127.0.0.1:80/shop"),
        ("https://alice@host", "https://host"),
        ("http://a:b@c@host:1", "http://host:1"),
        ("http://127.0.0.1:80/orders/a@b", "http://127.0.0.1:80/orders/a@b"),
        ("http+unix:/tmp/a@b", "http+unix:/tmp/a@b"),
        ("unix:/tmp/a@b", "unix:/tmp/a@b"),
        ("", ""),
    ],
)
def test_a_user_and_a_password_are_cut_out_of_an_address_and_nothing_else(address, shown):
    assert without_user(address) == shown


def test_a_password_in_an_address_is_told_to_nobody(shop):
    shop = shop.replace("http://", "http://alice:secret@")
    assert customer_at(shop).show("o-1")["outcome"] == "placed"
    with pytest.raises(ShopClosed) as nobody:
        customer_at("http://alice:secret@127.0.0.1:1").show("o-1")
    with pytest.raises(ValueError, match="accepted") as no_door:
        door_at("ftp://alice:secret@127.0.0.1:1")
    assert "secret" not in f"{nobody.value} {no_door.value}"
    assert all("secret" not in f"{told}" for told in Shop.asked)
