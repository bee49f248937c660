"""A short trial for real: two hosts, a wire, two processes. Nothing is asserted about speed."""

import pytest

from lab.measure.carried import carry
from lab.measure.side import TrialFailed
from lab.measure.trial import Flow, play, requests
from lab.wire import Knobs, namespaces

pytestmark = pytest.mark.skipif(
    bool(namespaces.available()), reason=f"no real interfaces: {namespaces.available()}"
)
LINK = Knobs(delay_s=0.005, rate_bps=10e6, queue_bytes=50_000)


@pytest.mark.parametrize("contestant", ["cubic", "ours"])
def test_a_stream_crosses_the_wire_and_is_counted(contestant: str, seed: int) -> None:
    carried = carry(contestant, LINK, seed, 0.3, queue_from_s=0.0)
    assert carried.goodput_mbit > 0
    assert carried.cpu_s_per_mb > 0
    assert carried.realised_loss == 0
    assert 0.9 < carried.payload_share < 1
    assert carried.queued_s


@pytest.mark.parametrize("contestant", ["cubic", "ours"])
def test_requests_are_answered_one_after_another(contestant: str, seed: int) -> None:
    outcome = play(requests(5, 10.0), [Flow(contestant)], LINK, seed)
    took_s = outcome.active[0]["took_s"]
    assert len(took_s) == 5
    assert min(took_s) >= 2 * LINK.delay_s


def test_an_unknown_contestant_is_named(seed: int) -> None:
    with pytest.raises(TrialFailed, match="accepted are ours"):
        play(requests(1, 1.0), [Flow("carrier-pigeon")], LINK, seed)
