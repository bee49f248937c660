"""What one stream carried over the wire, beside what the wire let through."""

from __future__ import annotations

from dataclasses import dataclass

from lab.measure.side import TrialFailed
from lab.measure.trial import Flow, Outcome, bulk, play
from lab.wire import Knobs


@dataclass(frozen=True)
class Carried:
    """The outcome of one bulk trial, in the units that figures are given in."""

    goodput_mbit: float
    cpu_s_per_mb: float
    realised_loss: float  # share of the frames on the link that chance took; 0..1
    payload_share: float  # of a full frame
    queued_s: tuple[float, ...] = ()

    def limit_mbit(self, rate_bps: float) -> float:
        """Return what the wire would have let any transport with such frames carry at best."""
        return rate_bps / 1e6 * (1 - self.realised_loss) * self.payload_share


def carry(
    contestant: str,
    knobs: Knobs,
    seed: int,
    duration_s: float,
    queue_from_s: float | None = None,
) -> Carried:
    """Let one contestant carry a stream for `duration_s`. Raises what `play` raises."""
    return carried(play(bulk(duration_s), [Flow(contestant)], knobs, seed, queue_from_s))


def carried(outcome: Outcome) -> Carried:
    """Return what a trial with a single flow came to.

    Raises TrialFailed if nothing was carried because the sender gave up.
    """
    received, sent = outcome.passive[0], outcome.active[0]
    if not received["bytes"] and "error" in sent:
        raise TrialFailed(f"nothing was carried: {sent['error']}")
    there = outcome.wire["there"]
    on_the_link = there["sent"] - there["queue_full"]
    megabytes = max(received["bytes"] / 1e6, 1e-6)
    return Carried(
        goodput_mbit=received["bytes"] * 8 / 1e6 / received["seconds"],
        cpu_s_per_mb=(received["cpu_s"] + sent["cpu_s"]) / megabytes,
        realised_loss=there["lost"] / max(on_the_link, 1),
        payload_share=received["payload_share"],
        queued_s=outcome.queued_s,
    )
