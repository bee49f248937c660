"""A crowd at eras 0 to 2: ten customers, a bad wire, both services killed in mid-flight.

What they were told and what lies in the stores afterwards must agree with the laws. Era 0 has to
do it on a perfect wire and unharmed: the promises show what becomes of it otherwise.
"""

import pytest

from lab.find import FORMS
from lab.laws import check
from lab.linear import Verdict, check_shelves
from lab.stage import Stage
from lab.wire import Knobs
from tests.histories.crowd import Crowd, Strike
from tests.histories.shelves import nearly_sold_out, settled
from tests.targets import Target, parameters, targets

CUSTOMERS, EACH = 10, 30
BAD_WIRE = Knobs(loss=0.03, duplicate=0.1, reorder=0.1, delay_s=0.001)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "target" in metafunc.fixturenames:
        metafunc.parametrize("target", parameters(before_http(metafunc.config)))


def before_http(config: pytest.Config) -> list[Target]:
    """From era 3 on repeating is safe, and the crowd another: see `test_repeating`."""
    return [target for target in targets(config) if not target.speaks_http]


def test_what_a_crowd_is_told_is_true(target: Target, seed, tmp_path):
    seed += FORMS.index(target.form)  # each form its own history
    fragile = target.era == "0"
    knobs = Knobs() if fragile else BAD_WIRE
    with Stage(target.era, target.form, knobs=knobs, seed=seed, directory=tmp_path) as stage:
        crowd = Crowd(stage.customer, nearly_sold_out(), seed)
        crowd.run(CUSTOMERS, EACH, [] if fragile else kills(stage))
        crowd.recorder.save(tmp_path / "history.jsonl")
        stores = settled(stage)
    history = crowd.recorder.operations()
    told = {call.outcome for call in history}
    assert {"placed", "out_of_stock", "cancelled"} <= told, f"too easy: only {told}"
    assert fragile or any(call.kind == "info" for call in history), "no kill hit anybody"
    assert check(history, stores) == [], f"read {tmp_path / 'history.jsonl'}"
    assert set(check_shelves(history, stores).values()) == {Verdict.YES}, tmp_path


def test_on_a_wire_that_doubles_packets_era_0_is_caught(seed, tmp_path):
    with Stage("0", "portable", seed=seed, directory=tmp_path) as stage:
        stage.wire.set("there", duplicate=0.3)
        crowd = Crowd(stage.customer, nearly_sold_out(), seed)
        crowd.run(customers=8, each=8, strikes=[])
        broken = {violation.law for violation in check(crowd.recorder.operations(), settled(stage))}
    assert "at most one effect" in broken


def kills(stage: Stage) -> list[Strike]:
    """Each service twice, at moments when nine others are in the middle of something."""

    def kill(role: str):
        def strike() -> None:
            stage.kill(role)
            stage.restart(role)

        return strike

    quarter = CUSTOMERS * EACH // 5
    return [
        Strike(quarter, kill("inventory")),
        Strike(2 * quarter, kill("orders")),
        Strike(3 * quarter, kill("inventory")),
        Strike(4 * quarter, kill("orders")),
    ]
