"""How long does an answer take? The estimator of RFC 6298, and the timeout that follows from it.

Before Jacobson (SIGCOMM 1988) a timeout was a multiple of the mean, and a loaded network, whose
delays vary more than its mean says, was flooded with copies of packets that were merely late.
"""

from dataclasses import dataclass

ALPHA, BETA, K = 1 / 8, 1 / 4, 4  # RFC 6298 section 2


@dataclass(slots=True)
class Estimator:
    """Smoothed round-trip time and its variation, in seconds.

    RFC 6298 starts at one second and never goes below it. We start at a quarter and go down to
    10 ms: with packet numbers no sample is ambiguous, and a probe costs one packet, not a window.
    """

    rto_s: float = 0.25
    min_rto_s: float = 0.010
    granularity_s: float = 0.001
    srtt_s: float = 0.0  # 0: no sample yet
    rttvar_s: float = 0.0
    latest_s: float = 0.0

    def sample(self, rtt_s: float) -> None:
        """Take one measured round trip; Karn's rule (no ambiguous ones) is the caller's duty."""
        self.latest_s = rtt_s
        if not self.srtt_s:  # RFC 6298 (2.2)
            self.srtt_s = rtt_s
            self.rttvar_s = rtt_s / 2
        else:  # (2.3): the variation first, against the old mean
            self.rttvar_s += BETA * (abs(self.srtt_s - rtt_s) - self.rttvar_s)
            self.srtt_s += ALPHA * (rtt_s - self.srtt_s)
        spread = max(self.granularity_s, K * self.rttvar_s)
        self.rto_s = max(self.min_rto_s, self.srtt_s + spread)
