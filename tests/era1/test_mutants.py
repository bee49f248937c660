"""Are sweep and model worth their time? Defects planted in the transport must not survive them.

Here six, quickly; all of them: `python -m tests.era1.mutants`.
"""

import pytest

from tests.era1.mutants import MUTANTS, hunt, plant

QUICK = (
    "the checksum is not checked",
    "a second copy is delivered",
    "a message begins with the last one's segments",
    "the end counts before what is missing",
    "idle while something waits to be sent",
    "a reset ends TIME_WAIT",
)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_there_is_still_a_place_for_each_defect(mutant, tmp_path):
    plant(mutant, tmp_path)


@pytest.mark.parametrize("name", QUICK)
def test_a_planted_defect_is_found(name):
    [mutant] = [mutant for mutant in MUTANTS if mutant.name == name]
    hunter, symptom = hunt(mutant)
    assert hunter, f"{name}: nobody noticed"
    assert symptom


def test_a_dozen_and_more_are_planted():
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS) >= 12
