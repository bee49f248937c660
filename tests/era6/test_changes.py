"""What an intent changes, in words and in lines."""

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from era6_control_plane.changes import MOST_TOLD, changes, text_diff
from era6_control_plane.intent_file import read

SHOP = (Path(__file__).parents[2] / "era6_control_plane" / "intent.toml").read_text()
CANARY = '[[services.inventory.routes]]\nheaders = { X-Canary = "yes" }\nto = { v2 = 100 }\n'
SPLIT = "[[services.inventory.routes]]\nto = { v1 = 90, v2 = 10 }\n"
FAULTY = '[[services.inventory.routes]]\npath = "/catalogue"\nfault = { abort_status = 503 }\n'


def told(old: str, new: str) -> list[str]:
    return changes(read(old), read(new))


def test_the_same_is_no_change_and_a_comment_is_none():
    assert told(SHOP, SHOP) == []
    assert told(SHOP, "# why\n" + SHOP) == []


def test_of_nothing_all_services_are_new():
    assert changes(None, read(SHOP)) == [
        "services.orders: new",
        "services.inventory: new",
        "services.reports: new",
    ]
    assert changes(None, read('[mesh]\nmtls = "permissive"\n[services.a]'))[0] == (
        "mesh.mtls: strict -> permissive"
    )


@pytest.mark.parametrize(
    ("before", "after", "change"),
    [
        (  # 1. a number
            "try_timeout_s = 0.5",
            "try_timeout_s = 0.5\nretry = { attempts = 2 }",
            "services.inventory.client.retry.attempts: 3 -> 2",
        ),
        ('mtls = "strict"', 'mtls = "permissive"', "mesh.mtls: strict -> permissive"),
        ('["v1", "v2"]', '["v1"]', "services.inventory.versions: v1, v2 -> v1"),
        ('["v1", "v2"]', "[]", "services.inventory.versions: v1, v2 -> none"),
        (  # 2. who may
            '["orders", "reports"]',
            '["*"]',
            "services.inventory.may[GET /catalogue]: orders, reports -> *",
        ),
        (
            'method = "DELETE"',
            'method = "POST"',
            "services.inventory.may[DELETE /reservations/]: gone",
        ),
        (
            'method = "DELETE"',
            'method = "POST"',
            "services.inventory.may[POST /reservations/]: new, orders",
        ),
        (  # 3. quotas
            "reports = { rate_per_s = 5, burst = 10 }",
            "reports = { rate_per_s = 6, burst = 10 }",
            "services.inventory.quotas.reports.rate_per_s: 5 -> 6",
        ),
        (
            "reports = { rate_per_s = 5, burst = 10 }",
            "",
            "services.inventory.quotas.reports: rate_per_s 5, burst 10 -> none",
        ),
        ("[services.reports]", "[services.audit]\n[services.reports]", "services.audit: new"),
        ("is_edge = true", "", "services.orders.is_edge: true -> false"),
    ],
)
def test_a_change_is_told_by_its_key(before, after, change):
    assert before in SHOP
    assert change in told(SHOP, SHOP.replace(before, after, 1))


def test_a_service_that_is_no_more_is_told():
    two = "[services.a]\n[services.b]"
    assert told(two, "[services.b]") == ["services.a: gone"]


def test_a_rule_that_is_said_in_two_is_the_same():
    one = '[[services.a.may]]\ncallers = ["a", "b"]\nmethod = "*"\npath = "/"\n[services.b]'
    rule = '[[services.a.may]]\ncallers = ["{}"]\nmethod = "*"\npath = "/"\n'
    assert told(one, rule.format("b") + rule.format("a") + "[services.b]") == []


def test_a_route_is_known_by_what_it_fits():
    assert told(SHOP, SHOP + CANARY) == [
        "services.inventory.routes[* /, x-canary: yes]: new at place 1, to {v2: 100}"
    ]
    assert told(SHOP + SPLIT, SHOP + CANARY + SPLIT) == [
        "services.inventory.routes[* /, x-canary: yes]: new at place 1, to {v2: 100}"
    ]
    assert told(SHOP + CANARY + SPLIT, SHOP + SPLIT) == [
        "services.inventory.routes[* /, x-canary: yes]: gone"
    ]
    assert told(SHOP + CANARY, SHOP + CANARY.replace("X-Canary", "x-canary")) == []


def test_a_weight_is_told_beside_the_others():
    assert told(SHOP + SPLIT, SHOP + SPLIT.replace("90, v2 = 10", "50, v2 = 50")) == [
        "services.inventory.routes[* /].to: {v1: 90, v2: 10} -> {v1: 50, v2: 50}"
    ]


def test_a_fault_comes_and_goes_in_words():
    calm = FAULTY.replace("fault = { abort_status = 503 }\n", "")
    where = "services.inventory.routes[* /catalogue].fault"
    assert told(SHOP + calm, SHOP + FAULTY) == [f"{where}: none -> abort_status 503"]
    assert told(SHOP + FAULTY, SHOP + calm) == [f"{where}: abort_status 503 -> none"]
    other = FAULTY.replace("503", "500")
    assert told(SHOP + FAULTY, SHOP + other) == [f"{where}.abort_status: 503 -> 500"]


def test_another_order_of_routes_is_a_change():
    assert told(SHOP + CANARY + FAULTY, SHOP + FAULTY + CANARY) == [
        "services.inventory.routes: in another order"
    ]


def test_more_changes_than_anybody_reads_are_counted():
    services = [f"[services.a{number}]\n{{0}}\n" for number in range(150)]
    spoiled = [each.format("settle_s = 2\ndrain_s = 2\nmost_in_flight = 2\nmost_connections = 2")
               for each in services]  # fmt: skip
    listed = told("".join(each.format("") for each in services), "".join(spoiled))
    assert len(listed) == MOST_TOLD + 1
    assert listed[-1] == f"and {4 * 150 - MOST_TOLD} more"


# Lines.


def test_lines_are_told_as_everybody_tells_them():
    assert text_diff("a\nb\nc\n", "a\nB\nc\n", "revision 1", "intent.toml") == (
        "--- revision 1\n+++ intent.toml\n@@ -1,3 +1,3 @@\n a\n-b\n+B\n c\n"
    )
    assert text_diff("a\n", "a\n", "x", "y") == ""


def applied(old: list[str], diff: str) -> list[str]:
    """What a unified diff makes of lines, hunk by hunk."""
    made, at = list[str](), 0
    for line in diff.splitlines()[2:]:
        if line.startswith("@@"):
            first = int(line.split()[1][1:].partition(",")[0])
            empty = line.split()[1].endswith(",0")
            made += old[at : first - (not empty)]
            at = first - (not empty)
        elif line.startswith("+"):
            made.append(line[1:])
        else:
            assert old[at] == line[1:]
            made += [line[1:]] if line.startswith(" ") else []
            at += 1
    return made + old[at:]


LINES = st.lists(st.sampled_from(["a", "b", "c = 1", "", "# d"]), max_size=30)


@given(LINES, LINES, st.booleans())
def test_the_lines_make_the_new_text_of_the_old_one(old, new, is_long):
    with pytest.MonkeyPatch.context() as patch:
        if is_long:  # then it is told in one piece
            patch.setattr("era6_control_plane.changes.MOST_MATCHED", 2)
        diff = text_diff("\n".join(old), "\n".join(new), "x", "y")
    before, after = "\n".join(old).splitlines(), "\n".join(new).splitlines()
    assert (applied(before, diff) if diff else before) == after


def test_texts_that_have_little_in_common_are_compared_in_bounded_time():
    old = "\n".join(f"# {number % 150}" for number in range(40_000))
    new = "\n".join(f"# {number % 151}" for number in range(40_000))
    begin = time.thread_time()  # of the processor: whoever else is at work
    assert text_diff(old, new, "x", "y").count("\n") > 40_000
    assert time.thread_time() - begin < 10.0
