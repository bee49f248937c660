"""For how long a proxy that says nothing is believed to live: decided without I/O.

What counts are questions without an answer, not time: a supervisor that was itself suspended must
not blame the proxy.
"""

from era5_sidecar.supervision_actions import Limits


class Patience:
    """With one proxy, from when it begins or becomes the one that counts."""

    def __init__(self, now: float, limits: Limits) -> None:
        """now: seconds of any one clock, as everywhere here."""
        self.asks_at = now + limits.probe_every_s
        self._unanswered = 0
        self._is_responsive = False  # it has answered, or has said that it is ready

    def hear(self) -> None:
        """It has given a sign of life."""
        self._unanswered, self._is_responsive = 0, True

    def ask(self, now: float, limits: Limits) -> bool:
        """It is being asked once more; False: it has been asked often enough."""
        self.asks_at = now + limits.probe_every_s
        if self._unanswered * limits.probe_every_s < self.most_s(limits):
            self._unanswered += 1
            return True
        self._unanswered = 0
        return False

    def most_s(self, limits: Limits) -> float:
        """How long it may say nothing: one that is still starting has the time of a start."""
        return limits.patience_s if self._is_responsive else limits.upgrade_s

    def __repr__(self) -> str:
        return f"<Patience {self._unanswered} questions unanswered>"
