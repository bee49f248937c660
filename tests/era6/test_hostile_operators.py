"""Strangers on the operator's own machine: they have no token, and time."""

import socket
from contextlib import ExitStack

import pytest

from era6_control_plane import operator_api
from tests.era6.operators import desk

HALF = b"GET /status HTTP/1.1\r\nHost: localhost\r\nX-Slow: "


def test_who_sends_half_requests_keeps_the_operator_out_for_a_moment_only(tmp_path, monkeypatch):
    monkeypatch.setattr(operator_api, "SILENCE_S", 1)
    with desk(tmp_path) as there, ExitStack() as stack:
        host, _, port = there.host.partition(":")
        for _ in range(operator_api.MOST_CONNECTIONS + 16):
            slow = stack.enter_context(socket.create_connection((host, int(port)), 5))
            slow.sendall(HALF)
        assert there.ask("GET", "/ready")[0] == 200


@pytest.mark.parametrize("trouble", [TimeoutError(), OSError(28, "No space left on device")])
def test_a_control_plane_in_trouble_says_ask_again_and_not_that_it_is_broken(tmp_path, trouble):
    with desk(tmp_path) as there:
        there.behind.wrong = trouble
        status, told = there.ask("POST", "/authorities/rotate", {})
        assert (status, told["status"]) == (503, 503) and told["detail"]
        assert there.headers["Retry-After"] == "1"
