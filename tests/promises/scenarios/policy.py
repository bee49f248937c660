"""An operator who wants one number otherwise, and no customer to notice."""

from concurrent.futures import ThreadPoolExecutor

from lab.processes import children_of
from lab.stage import NoWay
from tests.promises.failures import NeedsRestart
from tests.promises.trial import Trial

QUOTA = "quotas.reports.rate_per_s"
WITHOUT_LIMIT = 100_000.0
AT_ONCE = 40  # far more than the quota of before lets pass


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


def _pids(trial: Trial) -> dict[str, int]:
    """Of every process; who looks after another's as well as the other's."""
    pids = {role: trial.stage.pid(role) for role in trial.stage.roles}
    looked_after = {pid for each in pids.values() for pid in children_of(each)}
    return pids | {f"looked after: {pid}": pid for pid in looked_after}


def _refused(trial: Trial) -> int:
    """How many of so many questions at once the report is refused."""
    reports = trial.credential_of("reports")
    wish = {"op": "catalogue", "page": 0}
    with ThreadPoolExecutor(4) as readers:
        answers = list(readers.map(lambda _: trial.stranger.ask(wish, reports), range(AT_ONCE)))
    assert {answer.status for answer in answers} <= {200, 429}, answers
    return sum(answer.status == 429 for answer in answers)
