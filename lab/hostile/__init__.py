"""Hostile bytes: what an HTTP/1.1 proxy must survive, as a table, and a harness that plays it.

Each case (`lab.hostile.cases`) says what a client sends, what the upstream answers, and which
outcomes the RFCs allow. `play` sends it through a proxy to a scripted upstream, `judge` compares
what the client saw and what the upstream received with what is allowed. Any proxy will do that
can be put in front of a port: ours, Envoy, nginx, HAProxy (`lab.hostile.proxies`).

Smuggling is named as such: the upstream saw a request that nobody sent, or a client received the
answer to another's request.
"""

from lab.hostile.case import Case
from lab.hostile.cases import CASES
from lab.hostile.judge import Verdict, judge
from lab.hostile.play import Seen, play
from lab.hostile.upstream import Upstream

__all__ = ["CASES", "Case", "Seen", "Upstream", "Verdict", "judge", "play"]
