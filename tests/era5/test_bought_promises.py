"""The promises that bought proxies keep beside the same services, and those that they do not."""

import json
from pathlib import Path

import pytest

from era5_sidecar import bought
from lab.find import find
from lab.stage import Stage
from tests.era5.bought_table import RECORD, TABLE, Lacks, cell, promise, told
from tests.promises.court import variants_for
from tests.promises.stranger import Stranger
from tests.promises.table import Absent
from tests.promises.trial import Trial

CELLS = [
    (name, program)
    for name in TABLE
    for program in bought.PROGRAMS
    if not isinstance(cell(name, program), Absent)
]


def test_the_docs_have_this_table():
    assert json.loads(RECORD.read_text()) == told(), "python -m tests.era5.bought_table mends it"


@pytest.mark.parametrize(("name", "program"), CELLS)
def test_a_bought_proxy_keeps_what_the_table_says(name, program, seed, tmp_path, request):
    asked = request.config.getoption
    if not asked("--write-promises") and "5" not in (asked("--era") or ()):
        pytest.skip("two minutes of other people's proxies: asked with --era 5")
    try:
        bought.find(program)
    except bought.Missing as missing:
        pytest.skip(str(missing))
    expected = cell(name, program)
    if not isinstance(expected, Lacks):
        try_it(name, program, seed, tmp_path)
        return
    with pytest.raises(expected.raises):
        try_it(name, program, seed, tmp_path)


def try_it(name: str, program: str, seed: int, folder: Path) -> None:
    """One trial of the promises' suite, with this program in the place of our proxy."""
    row, era = promise(name), find("5")
    with Stage(
        era.number,
        seed=seed,
        directory=folder,
        instances=row.instances,
        variants=variants_for(row, era),
        proxy=program,
    ) as stage:
        try:
            row.when(Trial(stage, Stranger(stage, None)))
        finally:
            for role in stage.roles:
                stage.crash(role)
