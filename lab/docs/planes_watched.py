"""What no single answer shows: our proxy and Envoy, watched by an inventory that counts.

Each probe sets a scene for a witness (`witness.py`), lets orders' side ask, and says what was seen.
None judges by a clock: what is compared are numbers of attempts, statuses, fields.

python -m lab.docs.planes_watched
"""

from __future__ import annotations

import http.client
import json
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from urllib.parse import urlsplit

from lab.docs.planes import Question, Table
from lab.docs.witnessed import (
    CROWD,
    LOOK_S,
    PATIENCE_S,
    ask,
    ask_in_crowds,
    heard,
    stage_for,
    wait_for,
    wait_well,
    want,
)
from lab.stage import Stage

RESTS = 2
FAILURES = 5  # in a row, and nobody is asked for a while: the shop's own numbers
SHORT_MS = 400  # of the shop's 3000; one attempt may take 500
CLIENT = "services.inventory.client"
QUOTAS = "services.inventory.quotas"
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def _deadline(stage: Stage) -> str:
    """The customer says how long; between him and whom he waits for stand two proxies."""
    place = urlsplit(stage.url).netloc
    with closing(http.client.HTTPConnection(place, timeout=PATIENCE_S)) as line:
        wanted = json.dumps({"sku": "sku-0001", "quantity": 1})
        told = {"Content-Type": "application/json", "X-Deadline-Ms": str(SHORT_MS)}
        line.request("PUT", "/orders/hangs-1", wanted, told)
        line.getresponse().read()
    return _times(heard(stage, "PUT", "hangs-1"))


def _posted(stage: Stage) -> str:
    wait_well(stage)
    ask(stage, "POST", "busy-1")
    return _times(heard(stage, "POST", "busy-1"))


def _only_one(stage: Stage) -> str:
    """There is nobody else to ask."""
    before = stage.operator.intent()
    want(stage, f"{CLIENT}.retry.attempts", 1)
    for _ in range(CROWD):
        ask(stage, "DELETE", "fails-1")
        time.sleep(LOOK_S)  # Envoy leaves him alone a moment after it has seen enough
    stage.operator.obeyed(stage.operator.apply(before))
    reached = heard(stage, "DELETE", "fails-1")
    return f"all {CROWD}" if reached == CROWD else f"some: {reached} of {CROWD}"


def _rested(stage: Stage) -> str:
    """One of two fails until it is left alone; then many ask at once, again and again."""
    wait_well(stage)
    stage.add("inventory-2")
    before = stage.operator.intent()
    want(stage, f"{CLIENT}.retry.attempts", 1)
    want(stage, f"{CLIENT}.try_timeout_s", 2.5)  # who is only slow has not failed
    wait_for(lambda: _has_failed(stage), "it has failed often enough")
    most = 0
    for rest in range(RESTS):
        ask_in_crowds(stage, f"slow-{rest}.before", is_refused=True)
        most = max(most, ask_in_crowds(stage, f"slow-{rest}.after", is_refused=False))
    ask_in_crowds(stage, "slow-end", is_refused=True)
    stage.operator.obeyed(stage.operator.apply(before))
    return "one at a time" if most == 1 else f"several: {most} at the same moment"


def _has_failed(stage: Stage) -> bool:
    ask(stage, "DELETE", "weak-1")
    return heard(stage, "DELETE", "weak-1") >= FAILURES


def _budget(stage: Stage) -> str:
    """The budget is a fifth, and nothing is free; then one request fails."""
    wait_well(stage)
    before = stage.operator.intent()
    want(stage, f"{CLIENT}.retry.budget", {"percent": 20, "min_retries_per_s": 0})
    for _ in range(50):
        ask(stage, "DELETE", "o-1")
    ask(stage, "DELETE", "fails-2")
    stage.operator.obeyed(stage.operator.apply(before))
    return _times(heard(stage, "DELETE", "fails-2"))


def _quota(stage: Stage) -> str:
    """Another token comes after fifty seconds."""
    before = stage.operator.intent()
    want(stage, f"{QUOTAS}.orders", {"rate_per_s": 0.02, "burst": 2})
    wait_for(lambda: ask(stage, "DELETE", "o-1").status == 429, "the quota is used up")
    want(stage, f"{QUOTAS}.reports.burst", 11)
    told = {ask(stage, "DELETE", "o-1").status for _ in range(CROWD)}
    stage.operator.obeyed(stage.operator.apply(before))
    return "refused" if told == {429} else "let in"


def _traced(stage: Stage) -> str:
    fields = ask(stage, "DELETE", "o-1", traceparent=TRACE).said["heard"]
    _, trace, _, flags = fields["traceparent"].split("-")
    is_same = "the same trace" if trace in TRACE else "another trace"
    return f"{is_same}, flags {flags}"


def _refused_first(stage: Stage) -> str:
    """One at a time, and somebody is there: what comes is refused until he is done."""
    wait_well(stage)
    before = stage.operator.intent()
    want(stage, f"{CLIENT}.retry", {"attempts": CROWD, "backoff": {"base_s": 0.2, "cap_s": 0.2}})
    want(stage, f"{CLIENT}.breaker.consecutive_failures", CROWD)
    want(stage, "services.inventory.most_in_flight", 1)
    with ThreadPoolExecutor(1) as other:
        other.submit(ask, stage, "DELETE", "long-1")
        wait_for(lambda: heard(stage, "DELETE", "long-1") == 1, "the other one's request")
        answer = ask(stage, "DELETE", "o-2")
    stage.operator.obeyed(stage.operator.apply(before))
    certain = answer.fields.get("x-certain")
    return f"{answer.status}, not certain" if certain == "false" else str(answer.status)


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number} times"


QUESTIONS = (
    Question(
        "a trace whose caller says flags 01, as inventory hears it",
        _traced,
        "this Envoy has no collector to report spans to, and says so to the next one: not sampled",
    ),
    Question(
        f"a customer waits {SHORT_MS} ms, inventory is silent: how often is it asked?",
        _deadline,
        "ours remembers with the trace how long its caller will wait, and stops in time; an Envoy "
        "believes no such word, every call of its has its route's own timeout",
    ),
    Question(
        "inventory answers 503 to a POST: how often is it asked?",
        _posted,
        "the service may have done something, and a POST may not be done twice. A neighbour's "
        "proxy says 503 when nothing was done; Envoy is told which statuses to try again, and "
        "there is no field for who says it",
    ),
    Question(
        "inventory has no room at first, and refuses; the same request is answered then: how?",
        _refused_first,
        "what was refused was not executed, and ours remembers that of each attempt; the callee's "
        "Envoy sees that this one is not the first, and not what became of the others",
    ),
    Question(
        "fifty requests went well, one fails, a fifth may be repeated: how often is it asked?",
        _budget,
        "ours takes a share of what was asked in the last seconds; Envoy's retry_budget, of what "
        "is under way at this moment",
    ),
    Question(
        "a quota is used up, then another caller's is changed: the next request",
        _quota,
        "ours keeps the level of a quota that did not change; Envoy fills all buckets anew",
    ),
    Question(
        "the only instance fails at once: how many of ten requests reach it?",
        _only_one,
        "when nobody is left ours asks all the same; Envoy is told not to, by "
        "healthy_panic_threshold",
    ),
    Question(
        "one of two is left alone for failing; when that is over, ten ask at once: who reaches it?",
        _rested,
        "ours lets one try and believes what it sees; Envoy's outlier detection takes an instance "
        "out for a time, and knows no half-open",
    ),
)
WATCHED = Table("planes-watched", stage_for, QUESTIONS)


if __name__ == "__main__":
    print(WATCHED.record(), end="")
