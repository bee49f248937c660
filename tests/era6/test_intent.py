"""The intent: every field wrong once; told are line, key, value and what is accepted."""

import dataclasses
import tomllib
import types
import typing
from pathlib import Path

import pytest

from era6_control_plane import intent as intents
from era6_control_plane.intent import Intent
from era6_control_plane.intent_file import IntentError, read
from era6_control_plane.intent_lines import line_of
from tests.wrong_values import (
    NUMBER,
    OF_A_CLIENT,
    OF_LIMITS,
    WHOLE,
    found,
    general,
    inside,
    keys,
    never_wrong,
    spoiled,
)

FOLDER = Path(__file__).parents[2] / "era6_control_plane"
SAMPLE = (FOLDER / "intent.reference.toml").read_text()
SERVICE = "services.inventory"
ROUTE = f"{SERVICE}.routes[0]"
FAULT = f"{SERVICE}.routes[1].fault"


def refusal(text: str | bytes) -> IntentError:
    with pytest.raises(IntentError) as refused:
        read(text)
    return refused.value


def test_the_reference_is_valid_and_names_every_key():
    read(SAMPLE)
    assert {*keys(Intent)} - {general(each) for each in found(tomllib.loads(SAMPLE))} == set()


def test_the_reference_says_the_defaults():
    said = read(SAMPLE)
    inventory, least = said.services["inventory"], intents.ServiceIntent()
    assert said.mesh == intents.MeshIntent()
    assert inventory.client == least.client
    names = ("is_edge", "most_in_flight", "inbound_deadline_s", "settle_s", "drain_s")
    for name in (*names, "most_connections"):
        assert getattr(inventory, name) == getattr(least, name)
    canary, faulty = inventory.routes
    for name in ("method", "path", "deadline_s", "try_timeout_s", "attempts"):
        assert getattr(canary, name) == getattr(intents.RouteIntent(), name)
    assert faulty.fault == intents.FaultIntent(abort_status=503)


def test_the_shop_is_ruled_as_era_5_rules_it():
    shop = read((FOLDER / "intent.toml").read_text())
    beside = {
        name: tomllib.loads((FOLDER.parent / "era5_sidecar" / f"{name}.toml").read_text())
        for name in ("orders", "inventory")
    }
    for name, file in beside.items():
        inbound, service = file["inbound"], shop.services[name]
        assert service.most_in_flight == inbound["most_in_flight"]
        assert service.is_edge == inbound.get("is_edge", False)
        assert service.settle_s == inbound.get("settle_s", 1.0)
        may = [(list(rule.callers), rule.method, rule.path) for rule in service.may]
        assert may == [tuple(rule.values()) for rule in inbound["may"]]
        quotas = {caller: dataclasses.asdict(each) for caller, each in service.quotas.items()}
        assert quotas == inbound.get("quotas", {})
    called = beside["orders"]["outbound"]["services"]["inventory"]["client"]
    assert {key: getattr(shop.services["inventory"].client, key) for key in called} == called


WRONG = [  # (key, what the reference says, what is said instead, what is told)
    ("mesh.mtls", '"strict"', '"off"', "is 'off': accepted is 'strict' or 'permissive'"),
    ("mesh.mtls", '"strict"', "false", "is False: accepted is 'strict' or"),
    ("mesh.certificate_life_s", "3600.0", "1", f"is 1: {NUMBER} 2 to"),
    *inside("mesh.limits", OF_LIMITS),
    (f"{SERVICE}.versions", '["v1", "v2"]', '"v1"', "is 'v1': accepted is a list of names"),
    (f"{SERVICE}.versions", '["v1", "v2"]', '["v 1"]', "accepted is a list of names, 1 to 64"),
    (f"{SERVICE}.versions", '["v1", "v2"]', "[1]", "accepted is a list of names"),
    (f"{SERVICE}.versions", '["v1", "v2"]', '["v1", "v1"]', "is 'v1': accepted is each version o"),
    (f"{SERVICE}.is_edge", "false", "0", "is 0: accepted is true or false"),
    (f"{SERVICE}.most_in_flight", "64", "0", f"is 0: {WHOLE} 1"),
    (f"{SERVICE}.inbound_deadline_s", "3.0", "inf", f"is inf: {NUMBER} 0.001"),
    (f"{SERVICE}.settle_s", "1.0", "-1", f"is -1: {NUMBER} 0"),
    (f"{SERVICE}.drain_s", "3.0", '"3"', f"is '3': {NUMBER} 0"),
    (f"{SERVICE}.most_connections", "256", "256.0", f"is 256.0: {WHOLE} 1"),
    (
        f"{SERVICE}.may[0].callers",
        '["orders", "reports"]',
        '"orders"',
        "is 'orders': accepted is a",
    ),
    (f"{SERVICE}.may[0].callers", '"reports"', '"report"', "reports is the nearest"),
    (f"{SERVICE}.may[0].callers", '"reports"', '"orders"', "accepted is each caller once"),
    (f"{SERVICE}.may[0].callers", '["orders",', '["*",', 'accepted is each caller once, or ["*"]'),
    (f"{SERVICE}.may[0].method", '"GET"', '"get"', "is 'get': accepted is 'GET' or"),
    (f"{SERVICE}.may[0].path", '"/catalogue"', '"/a/../b"', "is '/a/../b': accepted is a path"),
    (f"{SERVICE}.quotas.reports.rate_per_s", "5,", "0,", f"is 0: {NUMBER} 0.001"),
    (f"{SERVICE}.quotas.reports.burst", "10 }", "0.5 }", f"is 0.5: {NUMBER} 1"),
    *inside(f"{SERVICE}.client", OF_A_CLIENT),
    (f"{ROUTE}.headers", '{ x-canary = "yes" }', "1", "is 1: accepted is a table"),
    (f"{ROUTE}.headers.x-canary", '"yes"', "1", "is 1: accepted is what a header may say"),
    (f"{ROUTE}.headers.x-canary", '"yes"', '" yes"', "with no space around it"),
    (f"{ROUTE}.headers.x-canary", '"yes"', '"\u00fc"', "what a header may say: ASCII"),
    (f"{ROUTE}.headers.x-canary", '"yes"', '"a\\u0000b"', "what a header may say: ASCII"),
    (f"{ROUTE}.method", '"*"', '"FETCH"', "is 'FETCH': accepted is 'GET' or"),
    (f"{ROUTE}.path", '"/"', '"catalogue"', "is 'catalogue': accepted is a path"),
    (f"{ROUTE}.to", "v1 = 0, v2 = 100", "v1 = 1, v2 = 100", "up to 100; these add up to 101"),
    (f"{ROUTE}.to", "v1 = 0, v2 = 100", "v1 = 50, v2 = 49", "up to 100; these add up to 99"),
    (f"{ROUTE}.to", "v1 = 0, v2 = 100", "v3 = 100", "names 'v3': accepted are v1, v2; v"),
    (f"{ROUTE}.to.v1", "v1 = 0", "v1 = -1", "is -1: accepted is versions' names, each with a"),
    (f"{ROUTE}.to.v1", "v1 = 0", "v1 = false", "is False: accepted is versions' names"),
    (f"{ROUTE}.to.v2", "v2 = 100", "v2 = 100.0", "is 100.0: accepted is versions' names"),
    (f"{ROUTE}.deadline_s", "0.0", "0.0001", "is 0.0001: accepted is 0, or a number from 0.001"),
    (f"{ROUTE}.deadline_s", "0.0", "false", f"is False: {NUMBER} 0"),
    (f"{ROUTE}.deadline_s", "0.0", "0.1", "is 0.1: accepted is at least client.try_timeout_s, 0.5"),
    (f"{ROUTE}.try_timeout_s", "0.0", "5", "is 5: accepted is at most the deadline_s of this ro"),
    (f"{ROUTE}.attempts", "0", "11", f"is 11: {WHOLE} 0 to 10"),
    (f"{ROUTE}.attempts", "0", "0.0", f"is 0.0: {WHOLE} 0 to 10"),
    (f"{FAULT}.delay_s", "0.0", "-1", f"is -1: {NUMBER} 0"),
    (f"{FAULT}.delay_s", "0.0", "1e-7", "is 1e-07: accepted is 0, or a number from 0.001"),
    (f"{FAULT}.delay_percent", "100.0", "101", f"is 101: {NUMBER} 0 to 100"),
    (f"{FAULT}.abort_status", "503", "200", "is 200: accepted is 0, or a status from 400 to 599"),
    (f"{FAULT}.abort_status", "503", "600", f"is 600: {WHOLE} 0 to 599"),
    (f"{FAULT}.abort_status", "503", "false", f"is False: {WHOLE} 0"),
    (f"{FAULT}.abort_percent", "100.0", "-1", f"is -1: {NUMBER} 0 to 100"),
]


@pytest.mark.parametrize(("key", "before", "after", "told"), WRONG)
def test_a_field_that_is_wrong_is_told_with_line_key_value_and_what_is_accepted(
    key, before, after, told
):
    text, line = spoiled(SAMPLE, line_of, key, before, after)
    refused = refusal(text)
    assert (refused.line, refused.key) == (line, key)
    assert str(refused).startswith(f"intent.toml, line {line}: {key} ")
    assert told in str(refused)


def test_the_table_above_has_every_field():
    assert never_wrong(Intent, WRONG) == set()


@pytest.mark.parametrize(
    ("before", "after", "at", "told"),
    [
        ("drain_s = 3.0", "drian_s = 3.0", "drian_s", "drian_s is not known: accepted are versio"),
        ("drain_s = 3.0", "drian_s = 3.0", "drian_s", "; drain_s is the nearest"),
        (
            "[mesh]",
            "[mash]",
            "[mash]",
            "mash is not known: accepted are services, mesh; mesh is th",
        ),
        ("[mesh.limits]", "[mesh.limit]", "[mesh.limit]", "mesh.limit is not known"),
        ('callers = ["orders", "reports"]', "", "[[", "may[0].callers is missing: it has no def"),
        ("[services.orders]", "[[services.orders]]", "[[services.orders]]", "is a table, [servic"),
        ("[services.inventory.client]", "[[services.inventory.client]]", "client]]", "is a table"),
        ("[[services.inventory.may]]", "[services.inventory.may]", ".may]", "is a list of tables"),
        (
            "[services.inventory.routes.fault]",
            "[[services.inventory.routes.fault]]",
            "t]]",
            "a tab",
        ),
        ("[services.reports]", "[services.pilot]", ".pilot]", "pilot could have no certificate"),
        ("[services.reports]", "[services.Reports]", ".Reports]", "in a DNS name"),
        (
            "[services.reports]",
            '[services."a b"]',
            "[services.inv",
            "services is 'a b': accepted is",
        ),
        ("[services.reports]", "[services.reports", "[services.rep", "is no TOML: Expected ']'"),
        ("attempts = 0", "attempts = 0\nattempts = 1", "attempts = 1", "Cannot overwrite a value"),
        ("x-canary", "x_canary", "x_canary", "headers.x_canary is 'yes': accepted is names of let"),
        ("x-canary", "Host", "Host", "headers.Host is 'yes': accepted is names of letters"),
        ("x-canary", 'X-A = "1", x-a', "X-A", "accepted is each name once: case does not count"),
        ("abort_status = 503", "", "delay_s", "delay_s is 0.0: accepted is a delay or an abort"),
        ("reports = { rate", "report = { rate", "report =", "report is not known: accepted are i"),
        ("reports = { rate", "inventory = { rate", "inventory =", "who may not call at all: acc"),
        ("is_edge = true", "may = 3", "may = 3", "may is 3: accepted is a list of tables"),
        ("is_edge = true", "may = [3]", "may = [3]", "may is [3]: accepted is a list of tables"),
    ],
)
def test_what_there_is_not_or_what_is_no_toml_is_told_with_its_line(before, after, at, told):
    assert before in SAMPLE
    text = SAMPLE.replace(before, after, 1)
    refused = refusal(text)
    assert told in str(refused)
    assert at in text.split("\n")[refused.line - 1]


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        ("", 1, "services is missing: it has no default"),
        ("services = {}", 1, "services is {}: accepted is at least one"),
        ("services = 3", 1, "services is 3: accepted is a table"),
        ("services = { a = 3 }", 1, "services.a is 3: accepted is a table"),
        ("x", 1, "is no TOML"),
        ("[services.a]\n# \x1b[2J", 2, "has the character U+001B: accepted is what can be seen"),
        ("[services.a]\n# \x9b2J", 2, "has the character U+009B"),
        ("[services.a] # \u202e]b.secivres[", 1, "has the character U+202E"),
        ("[services.a]\r", 1, "has the character U+000D"),
        ("[services.a]\n# \x00", 2, "has the character U+0000"),
        ("[services.a]\n\n# \ud800", 3, "the text is no UTF-8"),
        (b"[services.a]\n\n# \xff", 3, "the text is no UTF-8"),
        (b"\xef\xbb\xbf[services.a]", 1, "is no TOML"),
        ("#" * 5000, 1, "the line is too long: accepted are 4096 letters and 100 dots"),
        ("\n" + "a." * 200 + "a = 1", 2, "the line is too long"),
        ("\n" * 2**20 + " ", 1, "the text has 1048577 bytes: accepted are 1048576"),
        ("a = " + "[" * 4000, 1, "is no TOML"),
        ("a = " + "9" * 4090, 1, "a is not known"),
    ],
)
def test_a_text_that_is_none_is_told(text, line, told):
    refused = refusal(text)
    assert told in str(refused)
    assert refused.line == line


def test_lines_may_end_as_they_do_on_windows_and_comments_be_in_chinese():
    text = (FOLDER / "intent.toml").read_text()
    assert read(text.replace("\n", "\r\n")) == read(text)
    assert read("# \u4e2d\u6587\u3000\u8bf4\u660e\n" + text) == read(text)


def test_an_error_calls_the_text_as_it_is_asked_to():
    with pytest.raises(IntentError, match=r"^revision 3, line 1: "):
        read("", "revision 3")


def test_a_service_needs_no_more_than_a_name():
    service = read("[services.a]").services["a"]
    assert service == intents.ServiceIntent()


def test_hints_of_an_absent_table_are_found_by_the_walk_above():
    assert isinstance(typing.get_type_hints(intents.RouteIntent)["fault"], types.UnionType)
    assert "services.*.routes.*.fault.delay_s" in set(keys(Intent))
