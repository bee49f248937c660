"""What /stats reads when it is asked, beside what was counted."""

from __future__ import annotations

from collections.abc import Mapping

from era4_framework.policies.breaker import State
from era5_sidecar.handshakes import Handshakes
from era5_sidecar.inbound import Inbound
from era5_sidecar.metrics import Metrics
from era5_sidecar.outbound import Outbound
from era5_sidecar.own_certificate import Ageing
from era5_sidecar.side import Door

STATES = {State.CLOSED: 0.0, State.HALF_OPEN: 1.0, State.OPEN: 2.0}


def tell_gauges(
    metrics: Metrics,
    inbound: Inbound,
    outbound: Outbound,
    doors: Mapping[str, Door],
    handshakes: Handshakes,
    ageing: Ageing,
) -> None:
    """From now on /stats tells who is inside, who is asked, and whom we leave alone."""
    gauge = metrics.gauge
    gauge(
        "in_flight",
        "sent and not answered yet",
        ("callee", "instance"),
        lambda: [
            ((up.name, each.instance.name), each.in_flight)
            for up in outbound.upstreams()
            for each in up.endpoints
        ],
    )
    gauge(
        "breaker_state",
        "0 closed, 1 half open, 2 open",
        ("callee", "instance"),
        lambda: [
            ((up.name, each.instance.name), STATES[each.breaker.state])
            for up in outbound.upstreams()
            for each in up.endpoints
        ],
    )
    gauge(
        "serving",
        "let in and not answered yet",
        (),
        lambda: [((), inbound.in_flight())],
    )
    gauge(
        "connections",
        "open now",
        ("direction",),
        lambda: [((name,), len(door.inside)) for name, door in doors.items()],
    )
    gauge(
        "turned_away_total",
        "connections beyond most_connections, or beyond what files there are",
        ("direction",),
        lambda: [((name,), door.turned_away) for name, door in doors.items()],
    )
    gauge(
        "handshakes",
        "connected, and TLS is being agreed on",
        ("direction",),
        lambda: [((name,), len(door.knocking)) for name, door in doors.items()],
    )
    gauge(
        "failed_handshakes_total",
        "connections whose TLS came to nothing",
        ("direction", "reason"),
        lambda: list(handshakes.counted.items()),
    )
    gauge(
        "certificate_left_seconds",
        "until our own certificate ends; negative: since then",
        (),
        lambda: [] if ageing.left_s() is None else [((), ageing.left_s() or 0.0)],
    )
    gauge(
        "starved_total",
        "times no file was left for whoever connects",
        ("direction",),
        lambda: [((name,), door.starved) for name, door in doors.items()],
    )
