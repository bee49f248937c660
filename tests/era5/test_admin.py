"""What an operator may ask, and what nobody else may."""

import asyncio
import json
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from era5_sidecar import admin as module
from era5_sidecar.admin import Admin


class Asked:
    """An admin whose answers are known."""

    def __init__(self) -> None:
        self.why_not = ""
        self.drained = 0
        self.admin = Admin(
            lambda: self.why_not, lambda: b"metric 1\n", lambda: {"service": "a"}, self.drain
        )
        self.port = 0

    def drain(self) -> None:
        self.drained += 1

    def run(self, script: Callable[["Asked"], Any]) -> Any:
        """Runs `script` while the admin serves."""

        async def live() -> Any:
            with socket.create_server(("127.0.0.1", 0)) as listener:
                listener.setblocking(False)
                self.port = listener.getsockname()[1]
                await self.admin.serve(listener)
                try:
                    return await script(self)
                finally:
                    await self.admin.close()

        return asyncio.run(live())

    async def say(self, text: str) -> tuple[int, str, str]:
        """Status, head and body of what is answered to `text`; PORT in it is ours."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        raw = ""
        writer.write(text.replace("PORT", str(self.port)).encode("latin-1"))
        with suppress(ConnectionResetError):  # turned away before it was read
            raw = (await asyncio.wait_for(reader.read(), 10)).decode()
            writer.close()
        head, _, body = raw.partition("\r\n\r\n")
        return int(head.split(" ")[1] if head else 0), head, body

    def answer(self, text: str) -> tuple[int, str, str]:
        return self.run(lambda asked: asked.say(text))


def request(line: str, *headers: str, host: str = "127.0.0.1:PORT") -> str:
    return "\r\n".join([f"{line} HTTP/1.1", f"Host: {host}", *headers, "", ""])


def test_ready_is_told_with_the_reason_why_not():
    asked = Asked()
    assert asked.answer(request("GET /ready"))[0] == 200
    asked.why_not = "the app does not answer"
    status, head, body = asked.answer(request("GET /ready"))
    assert status == 503
    assert "application/problem+json" in head
    assert json.loads(body)["detail"] == "the app does not answer"


def test_stats_are_what_prometheus_reads():
    status, head, body = Asked().answer(request("GET /stats"))
    assert status == 200
    assert "Content-Type: text/plain; version=0.0.4" in head
    assert body == "metric 1\n"


def test_the_configuration_is_json():
    status, head, body = Asked().answer(request("GET /config"))
    assert (status, json.loads(body)) == (200, {"service": "a"})
    assert "Cache-Control: no-store" in head


def test_drain_drains():
    asked = Asked()
    assert asked.answer(request("POST /drain", "Content-Length: 0"))[0] == 202
    assert asked.drained == 1


@pytest.mark.parametrize("host", ["127.0.0.1:PORT", "localhost:PORT", "LOCALHOST:PORT"])
def test_every_loopback_name_of_ours_will_do(host):
    assert Asked().answer(request("GET /ready", host=host))[0] == 200


@pytest.mark.parametrize(
    "host", ["evil.example:PORT", "127.0.0.1", "localhost:1", "", "127.0.0.1:PORT.evil.example"]
)
def test_a_request_under_another_name_came_by_a_rebound_one(host):
    asked = Asked()
    status, _, body = asked.answer(request("POST /drain", host=host))
    assert status == 403
    assert "accepted: one Host of" in body
    assert not asked.drained


@pytest.mark.parametrize(
    "text",
    [
        "POST /drain HTTP/1.1\r\n\r\n",
        "POST /drain HTTP/1.1\r\nHost: evil\r\nHost: 127.0.0.1:PORT\r\n\r\n",
        "POST /drain HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nhost: 127.0.0.1:PORT\r\n\r\n",
    ],
)
def test_no_host_and_two_hosts_are_no_name_of_ours(text):
    asked = Asked()
    assert asked.answer(text)[0] == 403
    assert not asked.drained


@pytest.mark.parametrize("origin", ["http://127.0.0.1:PORT", "null", "https://evil.example", ""])
def test_a_web_page_may_ask_nothing(origin):
    asked = Asked()
    assert asked.answer(request("POST /drain", f"Origin: {origin}"))[0] == 403
    assert asked.answer(request("GET /config", f"oRIGIN: {origin}"))[0] == 403
    assert not asked.drained


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("GET /drain", 405),
        ("HEAD /drain", 405),
        ("POST /config", 405),
        ("DELETE /ready", 405),
        ("OPTIONS /ready", 405),
        ("GET /", 404),
        ("GET /ready?x", 404),
        ("GET //ready", 404),
        ("GET /READY", 404),
        ("GET http://127.0.0.1/ready", 404),
        ("GET", 400),
        ("GET /a /b", 400),
    ],
)
def test_what_there_is_not_is_told_with_what_there_is(line, status):
    asked = Asked()
    found, _, body = asked.answer(request(line))
    assert found == status
    assert (
        "accepted: GET /ready, GET /stats, GET /config, POST /drain" in json.loads(body)["detail"]
    )
    assert not asked.drained


def test_a_head_without_end_is_refused():
    assert Asked().answer("GET /ready HTTP/1.1\r\nA: " + "x" * 20_000)[0] == 431


@pytest.mark.parametrize("text", ["\r\n\r\n", "\x00\xff\r\n\r\n", "GET /ready HTTP/2.0\r\n\r\n"])
def test_nonsense_is_refused(text):
    assert Asked().answer(text)[0] == 400


def test_who_says_nothing_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(module, "PATIENCE_S", 0.1)
    assert Asked().answer("GET /rea")[0] == 0


def test_more_than_so_many_at_once_are_turned_away_and_later_ones_are_not(monkeypatch):
    monkeypatch.setattr(module, "MOST_CONNECTIONS", 3)

    async def script(asked: Asked) -> list[int]:
        crowd = [await asyncio.open_connection("127.0.0.1", asked.port) for _ in range(3)]
        full = (await asked.say(request("GET /ready")))[0]
        for _, writer in crowd:
            writer.close()
        async with asyncio.timeout(10):
            while not (later := (await asked.say(request("GET /ready")))[0]):
                await asyncio.sleep(0.005)  # it has not heard of their end yet
        return [full, later]

    assert Asked().run(script) == [0, 200]
