"""An operator who wants a number otherwise, or a new version, and no customer to notice."""

import time
from concurrent.futures import ThreadPoolExecutor

from lab.processes import children_of
from lab.stage import NoWay
from tests.promises import mesh
from tests.promises.failures import Disagrees, NeedsRestart
from tests.promises.sidecars import beside
from tests.promises.trial import Trial

QUOTA = "quotas.reports.rate_per_s"
WITHOUT_LIMIT = 100_000.0
AT_ONCE = 25  # far more than the quota of before lets pass, 10 and 5 a second,
SOON_S = 1.0  # if they come within this time
TRIES = 3


def a_quota_is_raised(trial: Trial) -> None:
    """The nightly report may read as fast as it likes from now on; customers order meanwhile."""
    pids = _pids(trial)
    with trial.crowd(1) as crowd:
        crowd.go_on(2)
        assert _refused(trial), "no quota was in force"
        try:
            trial.stage.change_policy(trial.instance, QUOTA, WITHOUT_LIMIT)
        except NoWay as none:
            raise NeedsRestart(str(none)) from none
        trial.until(lambda: not _refused(trial), "the new quota is in force")
        crowd.go_on(2)
    crowd.must_be_served()
    assert _pids(trial) == pids, "somebody was started again"


def a_quota_is_raised_for_all(trial: Trial) -> None:
    """The same number, of a service that has several instances: how often must it be said?"""
    pids = _pids(trial)
    told: list[str] = []
    while missing := [each for each in trial.stage.instances if _refused(trial, each)]:
        trial.stage.change_policy(missing[0], QUOTA, WITHOUT_LIMIT)
        told.append(missing[0])
        if trial.stage.era.has_control_plane:
            mesh.obeyed(trial.stage)
        trial.until(lambda: not _refused(trial, told[-1]), "the new quota is in force there")
    assert told, "no quota was in force"
    if len(told) > 1:
        raise Disagrees(f"{len(told)} files edited for one number, which {told[-1]} knew last")
    assert _pids(trial) == pids, "somebody was started again"


def the_policies_are_upgraded(trial: Trial) -> None:
    """Another version of what guards inventory takes over, then of what guards orders."""
    services = [trial.instance, "orders"]
    before = {role: trial.stage.pid(role) for role in services}
    with trial.crowd(2) as crowd:
        crowd.go_on(4)
        for role in services:
            _upgrade(trial, role)
            crowd.go_on(6)
    again = [role for role in services if trial.stage.pid(role) != before[role]]
    if again:
        raise NeedsRestart(f"{len(again)} of {len(services)} services were started again")
    crowd.must_be_served()
    trial.laws_hold()


def _upgrade(trial: Trial, role: str) -> None:
    if beside(trial.stage, role):
        trial.stage.upgrade(role)
        return
    trial.stage.terminate(role)
    trial.stage.restart(role)


def _pids(trial: Trial) -> dict[str, int]:
    """Of every process; who looks after another's as well as the other's."""
    pids = {role: trial.stage.pid(role) for role in trial.stage.roles}
    looked_after = {pid for each in pids.values() for pid in children_of(each)}
    return pids | {f"looked after: {pid}": pid for pid in looked_after}


def _refused(trial: Trial, instance: str = "") -> bool:
    """Whether the report is refused by this instance when it asks for more than the quota of before
    lets pass. A busy machine may ask so slowly that it is not more: then once again.
    """
    reports = trial.credential_of("reports")
    wish = {"op": "catalogue", "page": 0}
    for _ in range(TRIES):
        began = time.monotonic()
        with ThreadPoolExecutor(4) as readers:
            answers = list(
                readers.map(lambda _: trial.stranger.ask(wish, reports, instance), range(AT_ONCE))
            )
        assert {answer.status for answer in answers} <= {200, 429}, answers
        if any(answer.status == 429 for answer in answers):
            return True
        if time.monotonic() - began < SOON_S:
            return False
    return False
