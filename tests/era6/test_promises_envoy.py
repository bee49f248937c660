"""Era 6's promises again, with real Envoy in the place of our proxy, told by the same pilot."""

import json
from contextlib import nullcontext, suppress

import pytest

from tests.era6.envoy_table import ASKED, DIFFERENT, RECORD, form_of, promise, told
from tests.promises.court import put_on_trial
from tests.promises.table import Not
from tests.targets import Target, why_not

ALWAYS = (  # the rest is a minute of Envoys: asked with --era 6
    "kill -9 of one of several",
    "a control plane that comes and goes",
    "a canary",
    "a permission withdrawn",
)


def test_the_docs_have_this_table():
    assert json.loads(RECORD.read_text()) == told(), "python -m tests.era6.envoy_table mends it"


def test_what_differs_is_asked():
    assert set(DIFFERENT) <= set(ASKED)


@pytest.mark.parametrize("name", ASKED)
def test_envoy_keeps_what_the_table_says(name, seed, tmp_path, request):
    row = promise(name)
    target = Target("6", form_of(row), proxy="envoy")
    if missing := why_not_now(name, target, request.config):
        pytest.skip(missing)
    ours, differs = row.kept["6"], DIFFERENT.get(name)
    broken = ours if isinstance(ours, Not) else None
    fails = pytest.raises(broken.shows) if broken else nullcontext()
    if differs:
        fails = suppress(*differs.raises) if differs.is_chance else pytest.raises(differs.raises)
    with fails:
        put_on_trial(row, target, broken, seed, tmp_path)


def why_not_now(name: str, target: Target, config: pytest.Config) -> str:
    """Empty if it is asked."""
    is_wanted = config.getoption("--write-promises") or "6" in (config.getoption("--era") or ())
    if not is_wanted and name not in ALWAYS:
        return "a minute of Envoys: asked with --era 6"
    return why_not(target)
