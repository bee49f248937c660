"""What to do when a proxy starts, dies, falls silent, or is to be replaced: decided without I/O.

               READY                    UPGRADE
    STARTING ---------> SERVING --------------------> UPGRADING
     ^  ^ |  ^             |  ^                         |  |
     |  +-+  +-------------+  +-------------------------+  |
     | DIED        DIED          TOOK_OVER, GAVE_UP        |
     |                                          DIED       |
     +-----------------------------------------------------+

- Whoever dies is started again: at once the first time, after a pause that doubles when it keeps
  dying within a second (PAUSING, left out of the picture).
- An upgrade has two proxies at the same sockets. The new one takes over when it is ready, and only
  then is the old one told to drain; a new one that does not get ready is ended, and the old one has
  never stopped. If the old one dies meanwhile, the new one is all there is.
- A proxy is asked again and again whether it lives; supervision_patience.py says for how long.
- STOP leads from everywhere to STOPPING, and to ENDED when nobody is left.

The methods take `now` (seconds of any one clock) and return what is to be done, in order. Proxies
have numbers, in the order of their start. The file is long so that picture, table and the one place
where `state` changes stand together.
"""

from enum import Enum

from era5_sidecar.supervision_actions import (
    Action,
    Announce,
    End,
    Limits,
    Probe,
    Say,
    Signal,
    Start,
)
from era5_sidecar.supervision_patience import Patience

PAUSES_AFTER_S = 1.0  # who lived longer than this has not "kept dying"
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.05, 1.0
GRACE_S = 2.0  # beyond what draining may take
CANNOT_START = 2  # the exit code: what it was told is wrong, and would be wrong again


class State(Enum):
    STARTING = "starting"
    SERVING = "serving"
    PAUSING = "pausing"
    UPGRADING = "upgrading"
    STOPPING = "stopping"
    ENDED = "ended"


class Event(Enum):
    READY = "ready"
    DIED = "died"
    KEEPS_DYING = "keeps dying"
    PAUSED = "paused"
    UPGRADE = "upgrade"
    TOOK_OVER = "took over"
    GAVE_UP = "gave up"
    CANNOT_START = "cannot start"
    STOP = "stop"
    ALL_GONE = "all gone"


TRANSITIONS = {  # what is not here changes nothing
    (State.STARTING, Event.READY): State.SERVING,
    (State.STARTING, Event.DIED): State.STARTING,
    (State.STARTING, Event.KEEPS_DYING): State.PAUSING,
    (State.STARTING, Event.CANNOT_START): State.ENDED,
    (State.SERVING, Event.DIED): State.STARTING,
    (State.SERVING, Event.KEEPS_DYING): State.PAUSING,
    (State.PAUSING, Event.PAUSED): State.STARTING,
    (State.SERVING, Event.UPGRADE): State.UPGRADING,
    (State.UPGRADING, Event.TOOK_OVER): State.SERVING,
    (State.UPGRADING, Event.GAVE_UP): State.SERVING,
    (State.UPGRADING, Event.DIED): State.STARTING,
    (State.STARTING, Event.STOP): State.STOPPING,
    (State.SERVING, Event.STOP): State.STOPPING,
    (State.PAUSING, Event.STOP): State.STOPPING,
    (State.UPGRADING, Event.STOP): State.STOPPING,
    (State.STOPPING, Event.ALL_GONE): State.ENDED,
}


class Supervision:
    """Keeps one proxy alive. `state` tells how it is going."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.state = State.STARTING
        self._current = 0  # 0: none
        self._successor = 0
        self._leaving: dict[int, float] = {}  # who has been told to go, and when it must have gone
        self._stale: set[int] = set()  # who is to read the file again as soon as it can
        self._last = 0
        self._started_at = 0.0
        self._was_ready = False
        self._early_deaths = 0
        self._start_at = 0.0  # when a pause ends
        self._upgrade_until = 0.0
        self._patience = Patience(0.0, limits)  # with the current one

    def begin(self, now: float) -> list[Action]:
        """The first start."""
        return [self._start(now)]

    def ready(self, proxy: int, now: float) -> list[Action]:
        """A proxy says that it serves."""
        done: list[Action] = []
        if proxy == self._successor:
            done += self._take_over(now)
        elif proxy == self._current and self._change(Event.READY):
            self._patience.hear()
            done.append(Announce(proxy, is_first=not self._was_ready))
            self._was_ready = True
        if done and proxy in self._stale:
            self._stale.remove(proxy)
            done.append(Signal(proxy, "HUP"))
        return done

    def exited(self, proxy: int, code: int, now: float) -> list[Action]:
        """A proxy has ended; code as subprocess has it: negative is the signal."""
        if proxy in self._leaving:
            del self._leaving[proxy]
        elif proxy == self._successor:
            return self._give_up(f"the new proxy {_ended(code)}")
        elif proxy == self._current:
            return self._lose(code, now)
        return self._end_if_alone()

    def upgrade(self, now: float) -> list[Action]:
        """A new version is to take over."""
        if not self._change(Event.UPGRADE):
            return [Say(f"no upgrade: the proxy is {self.state.value}, not serving")]
        self._upgrade_until = now + self.limits.upgrade_s
        self._last += 1
        self._successor = self._last
        return [Start(self._successor, is_upgrade=True)]

    def reload(self) -> list[Action]:
        """The file has changed. A proxy that is still starting would die of the signal."""
        starting = self._current if self.state is State.STARTING else self._successor
        self._stale |= {starting} - {0}
        return [Signal(each, "HUP") for each in (self._current,) if each and each != starting]

    def stop(self, now: float) -> list[Action]:
        """All is to end, after what is under way."""
        if not self._change(Event.STOP):
            return []
        until = now + self.limits.settle_s + self.limits.drain_s + GRACE_S
        going = [each for each in (self._current, self._successor) if each]
        self._current = self._successor = 0
        self._leaving |= dict.fromkeys(going, until)
        return [Signal(each, "TERM") for each in going] or self._end_if_alone()

    def heard(self, proxy: int = 0) -> None:
        """A proxy has said that it lives; 0: whoever answers at the admin address."""
        if proxy in (0, self._current):
            self._patience.hear()

    def tick(self, now: float) -> list[Action]:
        """Time has passed; call it at `wakes_at` at the latest."""
        if self.state is State.PAUSING and now >= self._start_at:
            self._change(Event.PAUSED)
            return [self._start(now)]
        if self.state is State.UPGRADING and now >= self._upgrade_until:
            late = self._successor
            told = self._give_up(f"the new proxy was not ready within {self.limits.upgrade_s:g} s")
            self._leaving[late] = now + GRACE_S
            return [Signal(late, "KILL"), *told]
        return [*self._hurry(now), *self._probe(now)]

    def wakes_at(self) -> float:
        """When `tick` is to be called next."""
        if self.state is State.PAUSING:
            return self._start_at
        times = [self._patience.asks_at] if self._current else []
        if self.state is State.UPGRADING:
            times.append(self._upgrade_until)
        return min([*times, *self._leaving.values()], default=float("inf"))

    def _start(self, now: float) -> Start:
        self._last += 1
        self._current = self._last
        self._watch(now)
        return Start(self._current)

    def _watch(self, now: float) -> None:
        """A proxy has just begun, or has just become the one that counts."""
        self._started_at, self._patience = now, Patience(now, self.limits)

    def _lose(self, code: int, now: float) -> list[Action]:
        """The proxy that served, or was about to, has ended by itself."""
        if code == CANNOT_START and not self._was_ready and self._change(Event.CANNOT_START):
            self._current = 0
            return [End(CANNOT_START)]  # it has said why
        told = f"the proxy {_ended(code)} after {now - self._started_at:.3g} s"
        self._current = 0
        if self._successor:
            self._change(Event.DIED)
            self._current, self._successor = self._successor, 0
            self._watch(now)
            return [Say(f"{told}; the new one is on its way")]
        is_early = now - self._started_at < PAUSES_AFTER_S
        self._early_deaths = self._early_deaths + 1 if is_early else 0
        if self._early_deaths < 2:
            self._change(Event.DIED)
            return [Say(f"{told}; started again"), self._start(now)]
        pause_s = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** min(self._early_deaths - 2, 10))
        self._change(Event.KEEPS_DYING)
        self._start_at = now + pause_s
        return [Say(f"{told}; started again in {pause_s:g} s")]

    def _take_over(self, now: float) -> list[Action]:
        self._change(Event.TOOK_OVER)
        old, self._current, self._successor = self._current, self._successor, 0
        self._early_deaths = 0
        self._leaving[old] = now + self.limits.drain_s + GRACE_S
        self._watch(now)
        self._patience.hear()
        said = Say("upgraded: the new proxy has taken over, the old one drains")
        return [Announce(self._current, is_first=False), Signal(old, "USR2"), said]

    def _give_up(self, why: str) -> list[Action]:
        self._change(Event.GAVE_UP)
        self._successor = 0
        return [Say(f"no upgrade: {why}; the old one stays")]

    def _hurry(self, now: float) -> list[Action]:
        """Ends who was told to go and has not."""
        late = [proxy for proxy, until in self._leaving.items() if now >= until]
        for proxy in late:
            self._leaving[proxy] = now + GRACE_S
        return [Signal(proxy, "KILL") for proxy in late]

    def _probe(self, now: float) -> list[Action]:
        if not self._current or now < self._patience.asks_at:
            return []
        if self._patience.ask(now, self.limits):
            return [Probe()]
        silent_s = self._patience.most_s(self.limits)
        said = Say(f"the proxy has said nothing for {silent_s:g} s: it is ended")
        return [said, Signal(self._current, "KILL")]

    def _end_if_alone(self) -> list[Action]:
        is_over = not self._leaving and self._change(Event.ALL_GONE)
        return [End(0)] if is_over else []

    def _change(self, event: Event) -> bool:
        """The one place where `state` changes; whether it does."""
        found = TRANSITIONS.get((self.state, event))
        if found is None:
            return False
        self.state = found
        return True

    def __repr__(self) -> str:
        return f"<Supervision {self.state.value}, proxy {self._current}>"


def _ended(code: int) -> str:
    return f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
