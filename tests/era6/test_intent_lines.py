"""Where a key stands: as era 5 finds it by reading ever less, but in one pass."""

import time
import tomllib
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from era5_sidecar import config_lines
from era6_control_plane.intent_file import IntentError, read
from era6_control_plane.intent_lines import line_of, statements

FOLDER = Path(__file__).parents[2] / "era6_control_plane"
SAMPLE = (FOLDER / "intent.reference.toml").read_text()

STATEMENTS = [  # what an intent, or somebody who means harm, may be made of
    "",
    "# a comment with [brackets], \"quotes\" and 'more'",
    "[a]",
    "[ a . b ]  # spaces",
    '["a.b"]',
    "[[l]]",
    "[[l.m]]",
    "[l.n]",
    "k{0} = {0}",
    'k{0} = "[a] # no comment"',
    "k{0} = '''\n[a]\n'' k = 1\n'''",
    'k{0} = """\n[[l]]\n\\""" still """',
    'k{0} = """two more quotes"""""',
    "k{0} = {{ x = {0}, y = [{{ z = 1 }}] }}",
    "k{0} = [\n  1, # one ]\n  2,\n]",
    '"x.y{0}" = 1',
    '"=[{0}" = 1',
    "d{0}.e.f = 1",
]


def keys(value: object, at: str = "") -> list[str]:
    """Every key of a table, as an error names it."""
    if isinstance(value, dict):
        inner = {f"{at}.{name}" if at else name: each for name, each in value.items()}
    elif isinstance(value, list):
        inner = {f"{at}[{number}]": each for number, each in enumerate(value)}
    else:
        inner = {}
    return [key for name, each in inner.items() for key in (name, *keys(each, name))]


@given(st.lists(st.sampled_from(STATEMENTS), max_size=12))
@example(["[[l]]", "[l.n]", "k{0} = 1", "[[l]]", "[l.n]", "k{0} = 1"])
def test_every_key_stands_where_era_5_finds_it(listed):
    text = "\n".join(each.format(number) for number, each in enumerate(listed))
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError:  # such as a table that comes twice
        return
    names = keys(table)
    for key in names:
        if names.count(key) == 1 and "[" not in key.rpartition(".")[2]:
            theirs = config_lines.line_of(text, key)
            assert theirs <= line_of(text, key) <= theirs + text.count("\n"), key
            if "\n" not in next(each for at, each in statements(text) if at == theirs):
                assert line_of(text, key) == theirs, key


def test_every_line_of_the_reference_is_found():
    lines = SAMPLE.split("\n")
    for key in keys(tomllib.loads(SAMPLE)):
        name = key.rpartition(".")[2].partition("[")[0]
        assert name in lines[line_of(SAMPLE, key) - 1], key


def test_an_element_of_a_list_over_several_lines_stands_on_its_own():
    text = 'a = [ # [\n  { x = "," },\n\n  # {\n  { y = [1, 2] }, { z = 3 },\n]\nb = 1\n'
    assert [line_of(text, f"a[{number}]") for number in range(3)] == [2, 5, 5]
    assert line_of(text, "a[1].y") == 5
    assert line_of(text, "b") == 7


def test_what_is_missing_is_told_where_its_table_begins():
    text = "a = 1\n\n[t]\nb = 1\n[t.u]\n[[l]]\n[[l]]\nm = 1\n"
    assert line_of(text, "t.c") == 3
    assert line_of(text, "t.u.v.w") == 5
    assert line_of(text, "l[1].n") == 7
    assert line_of(text, "zzz") == 1


def test_names_may_contain_what_divides_others():
    text = 'a.b = 1\n[q]\n"x.y" = { z = 1 }\n"k=[1]" = 2\n["r.s".t]\nu = 1\n'
    assert [line_of(text, key) for key in ("a.b", "q.x.y.z", "q.k=[1]", "r.s.t.u")] == [1, 3, 4, 6]


@pytest.mark.parametrize("number", [0, 4999, 9999])
def test_one_of_ten_thousand_tables_is_found_in_one_pass(number):
    text = "".join(f"[[services.a.routes]]\npath = '/r{each}'\n\n" for each in range(10_000))
    begin = time.thread_time()  # of the processor: whoever else is at work
    assert line_of(text, f"services.a.routes[{number}].path") == 3 * number + 2
    assert time.thread_time() - begin < 5.0


@given(st.data())
def test_whatever_is_changed_in_an_intent_it_is_read_or_refused_with_a_line_that_is_there(data):
    at = data.draw(st.integers(0, len(SAMPLE)))
    until = min(len(SAMPLE), at + data.draw(st.integers(0, 20)))
    put = data.draw(st.text("\"[]{}=.,#\n\\ '0a*-", max_size=6) | st.text(max_size=3))
    text = SAMPLE[:at] + put + SAMPLE[until:]
    try:
        read(text)
    except IntentError as error:
        assert 1 <= error.line <= text.count("\n") + 1
        assert str(error).isprintable() or "\n" in put


@given(st.binary(max_size=60) | st.text(max_size=60))
def test_nothing_but_an_intent_is_read(text):
    with pytest.raises(IntentError):
        read(text)
