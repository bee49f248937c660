"""The fences fail loudly: what is gone from the source or was never recorded stops the build."""

import json

import pytest

pytest.importorskip("material", reason="the docs extra is not installed")

from markdown import Markdown
from pymdownx.inlinehilite import InlineHiliteException
from pymdownx.superfences import SuperFencesException

from lab.docs import (
    DocsError,
    changes,
    fences,
    figures,
    figures_table,
    hostile,
    marks,
    plot,
    promises,
    recording,
    states,
    translated,
)
from lab.docs.cut import constant, cut
from lab.docs.options import read

FENCES = {
    "code": fences.code,
    "diff": fences.diff,
    "output": fences.output,
    "ladder": fences.ladder,
    "plot": fences.graph,
    "figures": fences.table,
    "states": fences.machine,
    "byte-cases": fences.bytewise,
    "translated": fences.translation,
    "planes": fences.both_planes,
    "concerns": fences.where,
    "to-learn": fences.learning,
}


def show(text: str) -> str:
    """The text as a page, with our fences and marks."""
    custom = [{"name": name, "class": name, "format": show} for name, show in FENCES.items()]
    inline = [
        {"name": name, "class": name, "format": getattr(marks, name)}
        for name in ("figure", "value", "lines")
    ]
    extensions = ["pymdownx.superfences", "pymdownx.inlinehilite"]
    configs = {
        "pymdownx.superfences": {"custom_fences": custom},
        "pymdownx.inlinehilite": {"custom_inline": inline},
    }
    return Markdown(extensions=extensions, extension_configs=configs).convert(text)


@pytest.fixture
def sources(tmp_path):
    (tmp_path / "one.py").write_text(
        '"""What it is."""\n\nFEW, MANY = 3, 300  # packets\n\n# a reason\nLIMIT_S = 2 * 0.5\n\n\n'
        "class Thing:\n    # how it goes\n"
        "    @property\n    def size(self):\n        return 1\n\n\n"
        "def act():\n    return 2\n"
    )
    (tmp_path / "two.py").write_text("def act():\n    return 3\n")
    return tmp_path


def test_a_method_is_cut_with_its_decorator_and_comment_and_without_its_indent(sources) -> None:
    piece = cut("one.py:Thing.size", sources)
    assert piece.text.startswith("# how it goes\n@property\ndef size(self):\n")
    assert piece.title == "one.py, line 10"


def test_from_one_definition_to_another(sources) -> None:
    assert cut("one.py:FEW..LIMIT_S", sources).text.endswith("# a reason\nLIMIT_S = 2 * 0.5\n")


def test_only_lines_of_code_are_counted(sources) -> None:
    assert changes.code_lines("*.py", sources) == 2 + 4 + 2 + 2
    assert changes.code_lines("*.py !one.py", sources) == 2


def test_constants_are_quoted_as_they_are_written(sources) -> None:
    assert constant("one.py:LIMIT_S", sources) == "2 * 0.5"
    assert constant("one.py:MANY", sources) == "300"


@pytest.mark.parametrize("gone", ["one.py:nothing", "one.py:Thing.nothing", "none.py", "../x.py:a"])
def test_what_is_gone_is_named(sources, gone) -> None:
    with pytest.raises(DocsError, match=r"nothing|none\.py|x\.py"):
        cut(gone, sources)


def test_a_diff_counts_what_came_and_went(sources) -> None:
    change = changes.compare("one.py:act", "two.py:act", root=sources)
    assert (change.removed, change.added, change.kept) == (1, 1, 1)


@pytest.mark.parametrize(
    "fence",
    [
        "```code\nera1_raw_network/rtt.py:Gone\n```",
        "```code\n```",
        "```code\nshape: round\n```",
        "```diff\nera1_raw_network/gone.py era2_tcp/orders.py\n```",
        "```diff\njust-one\n```",
        "```output\nnever-captured\n```",
        "```ladder\nvariants: a\nnever-recorded\n```",
        "```ladder\nvariants: a | b\nera1-gap\n```",
        "```plot\nnever-measured\n```",
        "```translated\nera5_sidecar/gone.py\n```",
        "```planes\n```",
        "```figures\ntitle: t\nspeed = transport/goodput/none\n```",
        "```states\nera1_raw_network.gone:TRANSITIONS\ntitle: t\n```",
        "```states\nera1_raw_network.states:TRANSITIONS\ntitle: t\nCLOSED\n```",
    ],
)
def test_a_fence_that_cannot_be_filled_stops_the_build(fence) -> None:
    with pytest.raises(SuperFencesException):
        show(fence)


@pytest.mark.parametrize(
    "mark",
    ["`#!figure transport/none`", "`#!value era1_raw_network/rtt.py:GONE`", "`#!lines era9/*.py`"],
)
def test_an_inline_mark_that_cannot_be_filled_stops_the_build(mark) -> None:
    with pytest.raises(InlineHiliteException):
        show(f"It takes {mark}.")


def test_code_comes_highlighted_with_its_place_above() -> None:
    html = show("```code\nera1_raw_network/rtt.py:Estimator.sample\n```")
    assert "era1_raw_network/rtt.py, line" in html and '<span class="k">def</span>' in html


def test_an_option_that_no_fence_has_is_refused() -> None:
    with pytest.raises(DocsError, match="colour"):
        read("colour: red", ("title",))


def test_recordings_are_escaped_and_stand_as_text_too() -> None:
    recorder = recording.Recorder("A <b>bold</b> run", ("a", "b"), "by hand")
    recorder.arrive(recorder.send(0.0, "a", "b", 'it\'s "here" & <there>', "data"), 0.0125)
    recorder.send(0.02, "b", "a", "gone", "data")
    html = recording.player([recorder.done()], "", ["x"])
    assert "<b>bold" not in html and "<there>" not in html
    assert "12.5 ms" in html and "gone, never arrives" in html


def test_a_copy_that_arrives_is_a_second_arrow() -> None:
    recorder = recording.Recorder("Twice", ("a", "b"), "by hand")
    message = recorder.send(0.0, "a", "b", "m", "data")
    recorder.arrive(message, 0.01)
    recorder.arrive(message, 0.02)
    assert [event.get("end_row") for event in recorder.done()["events"]] == [1, 2]


# --- figures


def figure(name: str, ours: float, peer: float | None = 4.0, **more) -> dict:
    return {
        "name": name,
        "unit": "Mbit/s",
        "ours": ours,
        "peer": peer,
        "peer_name": "cubic",
        "ratio": ours / peer if peer else None,
        "ratio_min": 1.0,
        "ratio_max": 3.0,
        "runs": 2,
        "ours_runs": [ours - 1, ours + 1],
        "peer_runs": [],
        **more,
    }


@pytest.fixture
def measured(tmp_path):
    content = {
        "machine": {"processor": "abacus"},
        "conditions": {"quick": False},
        "figures": [figure("t/1%/cubic", 8.0), figure("t/5%/cubic", 6.0, None)],
    }
    (tmp_path / "t.json").write_text(json.dumps(content))
    return tmp_path


def test_figures_are_written_by_name(measured) -> None:
    found = figures.find("t/1%/cubic", measured)
    assert figures.say(found) == "8\N{NO-BREAK SPACE}Mbit/s"
    assert figures.say(found, "ratio") == "2"
    assert figures.say(found, "spread") == "1 to 3"


def test_a_figure_that_was_not_measured_is_named_with_its_neighbours(measured) -> None:
    with pytest.raises(DocsError, match=r"t/5%/bbr.*near it.*t/5%/cubic"):
        figures.find("t/5%/bbr", measured)


def test_a_peer_that_never_finished_is_said_so(measured) -> None:
    assert figures.say(figures.find("t/5%/cubic", measured), "peer") == "never finished"


@pytest.mark.parametrize(
    ("value", "said"),
    [(1234.5, "1,234"), (7.114, "7.11"), (0.000482, "0.000482"), (10.0, "10"), (0, "0")],
)
def test_numbers_have_the_digits_that_mean_something(value, said) -> None:
    assert figures.number(value) == said


def test_two_sides_stand_abreast(measured, monkeypatch) -> None:
    monkeypatch.setattr(figures, "load", lambda name, load=figures.load: load(name, measured))
    sides = ["1% = one", "5% = five"]
    html = figures_table.abreast("Speed", sides, ["speed = t/{side}/cubic"])
    assert "<th>one</th><th>five</th>" in html
    assert "<td>8\N{NO-BREAK SPACE}Mbit/s</td><td>6\N{NO-BREAK SPACE}Mbit/s</td>" in html
    with pytest.raises(DocsError, match="t/9%/cubic"):
        figures_table.abreast("Speed", ["9% = nine"], ["speed = t/{side}/cubic"])


def test_a_plot_has_a_band_a_line_a_name_and_the_numbers(measured) -> None:
    series = plot.collect(figures.load("t", measured), "t/{x}/{peer}", ("1%", "5%"), ("cubic",))
    html = plot.draw(plot.Plot("Speed", "loss", "Mbit/s", ("1%", "5%"), series))
    assert html.count('class="band"') == 2 and "cubic" in html and "8 (7 to 9)" in html


def test_a_plot_calls_our_side_what_the_page_calls_it(measured) -> None:
    measurement = figures.load("t", measured)
    series = plot.collect(measurement, "t/{x}/{peer}", ("1%",), ("cubic",), "era 4")
    assert [one.name for one in series] == ["era 4", "cubic"]


def test_a_condition_that_was_not_measured_stops_the_plot(measured) -> None:
    with pytest.raises(DocsError):
        plot.collect(figures.load("t", measured), "t/{x}/{peer}", ("1%", "9%"), ("cubic",))


def test_a_quick_run_may_leave_out_what_a_whole_one_measures_and_nothing_else() -> None:
    quick = figures.Measurement("transport", {}, {"quick": True}, {})
    assert quick.is_left_out("transport/goodput/10Mbit/100ms/20%/cubic")
    assert not quick.is_left_out("transport/goodput/10Mbit/100ms/21%/cubic")
    whole = figures.Measurement("transport", {}, {"quick": False}, {})
    assert not whole.is_left_out("transport/goodput/10Mbit/100ms/20%/cubic")


def test_states_and_places_must_agree() -> None:
    with pytest.raises(DocsError, match="ESTABLISHED"):
        states.places(["CLOSED"], {"CLOSED", "ESTABLISHED"})


def test_the_table_of_promises_says_why_and_where() -> None:
    broken = {"kept": False, "shows": "Hangs", "why": "it waits <for ever>"}
    eras = {"0": {"portable": {"kept": True}, "real": broken}, "1": {"real": {"kept": True}}}
    html = promises.draw({"promises": [{"claim": "it arrives", "eras": eras}]})
    assert "hangs:</b> it waits &lt;for ever&gt; <i>(wire: real)</i>" in html
    assert '<td class="kept">kept</td>' in html
    with pytest.raises(DocsError, match="era '9'"):
        promises.draw({"promises": [{"claim": "c", "eras": eras}]}, ["9"])


def test_the_table_of_concerns_says_who_took_what() -> None:
    page = show("```concerns\neras: 1 2\ntitle: To the kernel\n```")
    assert "<th>era 1</th><th>era 2</th>" in page
    assert "<small>in the kernel</small>" in page


def test_what_must_be_learned_is_counted_for_the_page() -> None:
    page = show("```to-learn\neras: 2 4\ntitle: To be learned\n```")
    assert "<th>names imported</th><td>4</td>" in page


@pytest.mark.parametrize(("eras", "complaint"), [("9", "unknown era '9'"), ("", "eras")])
def test_an_era_that_there_is_not_stops_the_build(eras, complaint) -> None:
    with pytest.raises(SuperFencesException, match=complaint):
        show(f"```concerns\neras: {eras}\ntitle: x\n```")


def case(name: str, theme: str = "chunks", **results: str) -> dict:
    told = {"ours": "held", "envoy": "held", "nginx": "held", "haproxy": "held", **results}
    return {"number": "1", "name": name, "theme": theme, "rfc": "RFC 9112", **told}


def test_the_byte_cases_are_counted_by_theme_and_named_where_somebody_broke(tmp_path) -> None:
    why = {"nginx": "smuggled", "nginx why": "<another's> answer"}
    cases = [case("a lie", **why), case("a length"), case("a path", "targets")]
    path = tmp_path / "bytes.json"
    scores: dict[str, dict] = {name: {} for name in ("ours", "envoy", "nginx", "haproxy")}
    path.write_text(json.dumps({"scores": scores, "cases": cases}))
    html = hostile.draw("Bytes", path)
    assert '<th scope="col">kind of bytes</th><th scope="col">cases</th>' in html
    assert '<th scope="row">chunks</th><td>2</td><td>2</td><td>2</td><td><b>1</b></td>' in html
    assert "The 1 cases" in html and "a length (" not in html
    assert "<b>smuggled:</b> &lt;another&#x27;s&gt; answer" in html


def test_byte_cases_without_a_proxy_that_is_compared_stop_the_build(tmp_path) -> None:
    path = tmp_path / "bytes.json"
    path.write_text(json.dumps({"scores": {"ours": {}}, "cases": []}))
    with pytest.raises(DocsError, match="without envoy, haproxy, nginx"):
        hostile.draw("Bytes", path)
    with pytest.raises(DocsError, match="makes it"):
        hostile.draw("Bytes", tmp_path / "none.json")


def test_a_table_in_a_docstring_is_a_table_of_the_page() -> None:
    html = translated.draw("era5_sidecar/bought/nginx.py")
    assert '<th scope="col">nginx&#x27;s</th>' in html and "<code>limit_conn</code>" in html
    with pytest.raises(DocsError, match="has no table"):
        translated.draw("era5_sidecar/waiting.py")


def test_a_bar_behind_a_backslash_belongs_to_its_cell() -> None:
    html = translated.draw("era6_control_plane/resources/beside.py")
    assert "<code>outbound|SERVICE|VERSION</code></th><td>" in html


def test_a_long_event_between_two_neighbours_moves_them_apart() -> None:
    short, long = (
        states.draw("M", ["A B"], [states.Arrow("A", "B", (event,))]) for event in ("ON", "ON" * 9)
    )
    assert _width(short) < _width(long)


def _width(html: str) -> float:
    return float(html.partition('viewBox="0 0 ')[2].split()[0])


def test_a_state_that_leads_to_itself_has_a_loop_below_it() -> None:
    loop, way = states.Arrow("A", "A", ("again",)), states.Arrow("A", "B", ("on",))
    html = states.draw("Machine", ["A B"], [loop, way])
    assert "nan" not in html and html.count('class="arrow"') == 2


def test_a_column_that_is_no_era_is_called_by_its_name() -> None:
    html = promises.draw({"promises": [{"claim": "c", "eras": {"nginx": {"w": {"kept": True}}}}]})
    assert '<th scope="col">nginx</th>' in html
