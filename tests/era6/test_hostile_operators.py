"""Strangers on the operator's own machine: they have no token, and time."""

import socket
from contextlib import ExitStack

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
