"""What an operator may ask, and what strangers, browsers and mistakes are told."""

import io
import json
import logging
import os
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from era6_control_plane import operator_token
from era6_control_plane.intent_file import MOST_BYTES
from era6_control_plane.operator_api import OperatorApi
from era6_control_plane.operator_routes import MOST_BODY_BYTES, MOST_WAITING
from tests.era6.operators import TOKEN, StandIn, desk, until

SHOP = (Path(__file__).parents[2] / "era6_control_plane" / "intent.toml").read_text()
ONE, TWO = "[services.a]\n", "[services.a]\nsettle_s = 2\n"
ALL = [
    ("GET", "/intent"),
    ("PUT", "/intent"),
    ("GET", "/intent/diff"),
    ("PUT", "/intent/diff"),
    ("GET", "/history"),
    ("POST", "/rollback"),
    ("GET", "/status"),
    ("POST", "/tokens"),
    ("POST", "/authorities/rotate"),
]
WRITERS = 8


@pytest.fixture
def api(tmp_path):
    with desk(tmp_path) as served:
        yield served


@pytest.fixture(scope="module")
def untouched(tmp_path_factory):
    """The same for all who are refused: nothing of what they ask changes anything."""
    with desk(tmp_path_factory.mktemp("untouched")) as served:
        yield served


def put(api, text: str, **also: object):
    return api.ask("PUT", "/intent", {"text": text, "who": "ada", **also})


# What is asked and answered.


def test_what_is_wanted_is_in_force_with_who_and_when(api):
    assert put(api, ONE, note="at last") == (
        201,
        {"revision": 1, "changes": ["services.a: new"], "is_new": True},
    )
    status, told = api.ask("GET", "/intent")
    assert status == 200
    assert told.pop("at").startswith("20")
    assert told == {
        "revision": 1,
        "who": "ada",
        "note": "at last",
        "changes": ["services.a: new"],
        "text": ONE,
    }


def test_the_same_again_makes_no_revision(api):
    put(api, ONE)
    assert put(api, ONE) == (200, {"revision": 1, "changes": [], "is_new": False})


def test_nothing_said_yet_is_a_404(api):
    status, told = api.ask("GET", "/intent")
    assert (status, told["detail"]) == (404, "nothing was ever said; accepted: PUT /intent")


def test_a_dry_run_tells_what_would_change_and_changes_nothing(api):
    put(api, ONE)
    status, told = api.ask("PUT", "/intent?dry_run=1", {"text": TWO, "who": "ada"})
    assert (status, told["changes"]) == (200, ["services.a.settle_s: 1.0 -> 2"])
    assert api.ask("GET", "/intent")[1]["revision"] == 1


def test_an_intent_that_is_refused_is_told_with_line_and_key_and_nothing_changes(api):
    put(api, SHOP)
    status, told = put(api, SHOP.replace('"reports"]', '"report"]'))
    assert status == 400
    assert api.headers["Content-Type"] == "application/problem+json"
    assert (told["title"], told["status"]) == ("Bad Request", 400)
    assert told["key"] == "services.inventory.may[2].callers"
    assert "report" in SHOP.split("\n")[told["line"] - 1]
    assert "reports is the nearest" in told["detail"]
    assert api.ask("GET", "/intent")[1]["text"] == SHOP


def test_a_change_of_what_is_not_the_newest_is_a_409(api):
    put(api, ONE, base=0)
    status, told = put(api, TWO, base=0)
    assert (status, told["detail"]) == (
        409,
        "revision 1 is the newest, and not 0, on which this is based",
    )
    assert put(api, TWO, base=1)[0] == 201


def test_of_all_who_change_one_revision_at_once_one_is_told_201(api):
    begin = threading.Barrier(WRITERS)

    def change(number: int) -> int:
        begin.wait()
        return put(api, f"[services.a]\nsettle_s = {number}\n", base=0)[0]

    with ThreadPoolExecutor(WRITERS) as pool:
        told = sorted(pool.map(change, range(1, WRITERS + 1)))
    assert told == [201] + [409] * (WRITERS - 1)


def test_going_back_and_the_history(api):
    put(api, ONE)
    put(api, TWO, note="slower")
    status, told = api.ask("POST", "/rollback", {"revision": 1, "who": "bob"})
    assert (status, told["revision"]) == (201, 3)
    listed = api.ask("GET", "/history?limit=2")[1]["revisions"]
    assert [(each["revision"], each["who"], each["note"]) for each in listed] == [
        (3, "bob", "back to revision 1"),
        (2, "ada", "slower"),
    ]
    status, told = api.ask("POST", "/rollback", {"revision": 9, "who": "bob"})
    assert (status, told["detail"]) == (404, "revision 9 is not known: accepted are 1 to 3")
    assert api.ask("POST", "/rollback", {"revision": 2, "who": "bob", "base": 2})[0] == 409


def test_what_differs(api):
    put(api, ONE)
    put(api, TWO)
    status, told = api.ask("GET", "/intent/diff?from=1&to=2")
    assert (status, told["changes"]) == (200, ["services.a.settle_s: 1.0 -> 2"])
    assert "+settle_s = 2" in told["text"]
    assert api.ask("GET", "/intent/diff?from=1")[1] == told  # to the newest
    assert api.ask("PUT", "/intent/diff", {"text": TWO})[1] == {"text": "", "changes": []}
    assert api.ask("PUT", "/intent/diff", {"text": "x"})[1]["line"] == 1
    assert api.ask("GET", "/intent/diff?from=3")[0] == 404


def test_status_tokens_and_rotation_are_asked_of_the_control_plane(api):
    put(api, ONE)
    assert api.ask("GET", "/status")[1]["authorities"] == {"stage": "steady"}
    asked = {"service": "a", "instance": "a-1"}
    assert api.ask("POST", "/tokens", asked) == (201, {"token": "join-token"})
    assert api.ask("POST", "/tokens", {**asked, "life_s": 5})[0] == 201
    assert api.behind.tokens == [("a", "a-1", 600.0), ("a", "a-1", 5)]
    assert api.ask("POST", "/authorities/rotate") == (202, {"stage": "both trusted"})


def test_who_waits_for_a_revision_is_answered_when_it_is_obeyed(api):
    put(api, ONE)
    api.behind.settle.clear()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(api.ask, "GET", "/status?wait=1&within_s=9")
        until(lambda: api.behind.waits == [(1, 9.0)])
        assert not waiting.done()
        api.behind.settle.set()
        assert waiting.result()[1]["is_settled"] is True


def test_who_waits_leaves_room_for_others(api):
    put(api, ONE)
    api.behind.settle.clear()
    with ThreadPoolExecutor(MOST_WAITING) as pool:
        path = "/status?wait=1&within_s=9"
        asked = [pool.submit(api.ask, "GET", path) for _ in range(MOST_WAITING)]
        until(lambda: len(api.behind.waits) == MOST_WAITING)
        status, told = api.ask("GET", path)
        assert (status, told["detail"]) == (503, f"{MOST_WAITING} others are waiting already")
        assert api.headers["Retry-After"] == "1"
        assert api.ask("GET", "/intent")[0] == 200
        api.behind.settle.set()
        assert {each.result()[0] for each in asked} == {200}
    assert api.ask("GET", "/status?wait=1")[0] == 200


# Who may ask.


def test_readiness_is_everybodys(api):
    api.behind.why_not = "the state is being read"
    status, told = api.ask("GET", "/ready", headers={"Authorization": ""})
    assert (status, told["detail"]) == (503, "the state is being read")
    api.behind.why_not = ""
    assert api.ask("GET", "/ready", headers={"Authorization": ""}) == (200, {"ready": True})


@pytest.mark.parametrize(("method", "path"), ALL)
@pytest.mark.parametrize(
    "given",
    [
        "",
        "Bearer",
        "Bearer ",
        f"Bearer {TOKEN[:-1]}",
        f"Bearer {TOKEN}x",
        f"Bearer {TOKEN.upper()}",
        f"Basic {TOKEN}",
        "Bearer \u00fc",
        f"Bearer  {TOKEN}",
    ],
)
def test_without_the_token_nothing_is_answered(untouched, method, path, given):
    status, told = untouched.ask(method, path, headers={"Authorization": given})
    assert (status, told["detail"]) == (
        401,
        "accepted: Authorization: Bearer and the operator's token",
    )
    assert untouched.headers["WWW-Authenticate"] == "Bearer"


def test_nobody_without_the_token_learns_what_there_is(untouched):
    assert untouched.ask("GET", "/secret", headers={"Authorization": ""})[0] == 401


@pytest.mark.parametrize(("method", "path"), [*ALL, ("GET", "/ready")])
@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1"])
def test_no_web_page_may_ask(untouched, method, path, origin):
    status, told = untouched.ask(method, path, headers={"Origin": origin})
    assert (status, told["detail"]) == (403, "no web page may ask this; accepted: no Origin")


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:80", "127.0.0.1", "127.0.0.1:1", "localhost", "0x7f.1:80"],
)
def test_who_came_by_a_rebound_name_is_refused(untouched, host):
    status, told = untouched.ask("GET", "/intent", headers={"Host": host})
    assert status == 403
    assert told["detail"].startswith("accepted: a Host of 127.0.0.1:")


def test_two_hosts_are_none(untouched):
    head = f"GET /ready HTTP/1.1\r\nHost: {untouched.host}\r\nHost: evil.example\r\n\r\n"
    assert b" 403 " in untouched.raw(head.encode()).split(b"\r\n")[0]
    assert b" 403 " in untouched.raw(b"GET /ready HTTP/1.0\r\n\r\n").split(b"\r\n")[0]


def test_localhost_is_a_name_of_ours(untouched):
    port = untouched.host.rpartition(":")[2]
    assert untouched.ask("GET", "/ready", headers={"Host": f"localhost:{port}"})[0] == 200


def test_answers_are_for_no_cache_and_no_other_page(untouched):
    for asked in (("GET", "/ready"), ("GET", "/intent"), ("GET", "/nothing")):
        untouched.ask(*asked)
        assert untouched.headers["Cache-Control"] == "no-store"
        assert untouched.headers["X-Content-Type-Options"] == "nosniff"
        assert "Access-Control-Allow-Origin" not in untouched.headers


# What cannot be understood.


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"", "the body is no JSON"),
        (b"{", "the body is no JSON"),
        (b"[]", "the body is no JSON object"),
        (b'{"text": "\xff", "who": "a"}', "the body is no JSON: 'utf-8' codec can't decode"),
        (b'{"text": "", "text": "", "who": "a"}', "the body says a key twice"),
        (b'{"text": "", "who": "a", "base": NaN}', "says NaN, which JSON does not know"),
        (b"[" * 100_000, "the body is no JSON"),
        (b'{"who": "a"}', "text is missing"),
        (b'{"text": ""}', "who is missing"),
        (b'{"text": 1, "who": "a"}', "text is 1: accepted is text"),
        (b'{"text": null, "who": "a"}', "text is None: accepted is text"),
        (b'{"text": "", "who": "a", "base": true}', "base is True: accepted is a whole number"),
        (b'{"text": "", "who": "a", "base": 1.0}', "base is 1.0: accepted is a whole number"),
        (b'{"text": "", "who": "a", "base": 1' + b"0" * 30 + b"}", "accepted is a number up to"),
        (b'{"text": "", "who": "a", "bass": 1}', "'bass' is not known: accepted are text, who,"),
        (b'{"text": "", "who": "\\u001b[2J"}', "who is '\\x1b[2J': accepted is 1 to 200 letters"),
        (b'{"text": "[services.a]\\n# \\ud800", "who": "a"}', "line 2: the text is no UTF-8"),
    ],
)
def test_a_body_that_says_nothing_is_told_why(untouched, body, told):
    status, said = untouched.ask("PUT", "/intent", body=body)
    assert status == 400
    assert told in said["detail"]
    assert untouched.ask("GET", "/intent")[0] == 404


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "text/json"])
def test_only_json_is_read(untouched, kind):
    status, told = untouched.ask(
        "PUT", "/intent", {"text": ONE, "who": "a"}, headers={"Content-Type": kind}
    )
    assert (status, told["detail"]) == (415, "accepted: Content-Type: application/json")


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/history?limit=0", "limit is '0': accepted is a whole number from 1 to 1000"),
        ("/history?limit=1001", "limit is '1001'"),
        ("/history?limit=1_0", "limit is '1_0'"),
        ("/history?limit=%D9%A1", "limit is '\u0661'"),
        ("/history?limit=1&limit=2", "limit is said twice"),
        ("/history?limt=1", "'limt' is not known: accepted are limit"),
        ("/intent?x=1", "'x' is not known: accepted are none"),
        ("/status?wait=1", "wait is '1': accepted is a whole number from 0 to 0"),
        ("/status?within_s=61", "within_s is '61': accepted is a number from 0 to 60"),
        ("/status?within_s=nan", "within_s is 'nan'"),
        ("/intent/diff?from=-1", "from is '-1'"),
        (f"/intent/diff?from={'9' * 100}", "from is '999"),
    ],
)
def test_a_query_that_cannot_be_is_told_why(untouched, path, told):
    status, said = untouched.ask("GET", path)
    assert status == 400
    assert told in said["detail"]


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"service": "b", "instance": "b-1"}, "service is not in the intent: accepted are a"),
        ({"service": "a", "instance": "a-1", "life_s": 0}, "life_s is 0: accepted is a number"),
        ({"service": "a", "instance": "a-1", "life_s": 1e9}, "life_s is 1000000000.0: accepted"),
        ({"service": "a", "instance": "a-1", "life_s": "1"}, "life_s is '1': accepted is a number"),
    ],
)
def test_a_token_for_nobody_is_refused(api, asked, told):
    put(api, ONE)
    status, said = api.ask("POST", "/tokens", asked)
    assert status == 400
    assert told in said["detail"]
    assert api.behind.tokens == []


def test_what_there_is_not_is_a_problem_too(api):
    assert api.ask("GET", "/nothing")[0] == 404
    status, told = api.ask("DELETE", "/intent")
    assert (status, told["title"]) == (405, "Method Not Allowed")
    assert set(api.headers["Allow"].split(", ")) >= {"GET", "PUT"}


def test_a_body_that_is_too_long_is_refused(api):
    status, told = api.ask("PUT", "/intent", {"text": "#" * MOST_BODY_BYTES, "who": "a"})
    assert (status, told["title"]) == (413, "Request Entity Too Large")
    status, told = put(api, "#\n" * MOST_BYTES)
    assert status in (400, 413)
    assert put(api, ONE)[0] == 201


def test_a_body_that_says_it_is_endless_is_not_waited_for(api):
    head = f"PUT /intent HTTP/1.1\r\nHost: {api.host}\r\nContent-Length: {10**12}\r\n\r\n{{"
    assert b" 413 " in api.raw(head.encode()).split(b"\r\n")[0]


def test_a_head_that_is_too_long_is_refused(untouched):
    head = f"GET /ready HTTP/1.1\r\nHost: {untouched.host}\r\nX: {'x' * 70_000}\r\n\r\n"
    assert b" 431 " in untouched.raw(head.encode()).split(b"\r\n")[0]


def test_a_mistake_of_ours_is_a_500_that_tells_no_secret(api, caplog):
    api.behind.wrong = RuntimeError("the key is 1234")
    status, told = api.ask("POST", "/authorities/rotate")
    assert status == 500
    assert "1234" not in json.dumps(told)
    api.behind.wrong = ValueError("a rotation is under way")
    assert api.ask("POST", "/authorities/rotate")[1]["detail"] == "a rotation is under way"


def test_a_disk_that_is_full_is_told_and_changes_nothing(api):
    put(api, ONE)
    api.ruling._history._file.ask("PRAGMA max_page_count = 1")
    status, told = put(api, ONE + "# x\n" * 10_000)
    assert status == 503
    assert told["detail"] == "the state cannot be written: database or disk is full"
    assert api.ask("GET", "/intent")[1]["text"] == ONE


def test_the_token_is_in_no_log_and_no_answer(api, caplog):
    heard = io.StringIO()
    root = logging.getLogger()
    root.addHandler(hearer := logging.StreamHandler(heard))
    try:
        api.behind.wrong = RuntimeError("oh")
        answers = [api.ask(method, path, {}) for method, path in ALL]
        answers += [api.ask("GET", "/x"), api.ask("POST", "/authorities/rotate")]
    finally:
        root.removeHandler(hearer)
    assert TOKEN not in heard.getvalue() + caplog.text + json.dumps(answers)
    assert TOKEN not in repr(vars(api.ruling))


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda each: (
        st.lists(each, max_size=3) | st.dictionaries(st.text(max_size=9), each, max_size=3)
    ),
    max_leaves=6,
)
KEYS = st.sampled_from(["text", "who", "note", "base", "revision", "service", "instance", "life_s"])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from([each for each in ALL if each[0] != "GET"]),
    st.dictionaries(KEYS, ANYTHING, max_size=4) | ANYTHING,
)
def test_whatever_is_said_is_answered_and_never_by_a_mistake_of_ours(api, asked, said):
    status, told = api.ask(*asked, said)
    assert status < 500
    assert status < 300 or told["detail"]


# Where it listens, and the token's file.


def test_it_serves_at_a_unix_socket_for_its_owner_alone(tmp_path):
    with desk(tmp_path, f"unix:{tmp_path}/operator") as served:
        assert stat.S_IMODE((tmp_path / "operator").stat().st_mode) == 0o600
        assert served.address == f"unix:{tmp_path}/operator"


def test_it_serves_on_loopback_alone(tmp_path):
    with pytest.raises(ValueError, match=r"operator's address 0\.0\.0\.0; accepted: one of loopb"):
        desk(tmp_path, "http://0.0.0.0:0").__enter__()


def test_a_token_that_could_be_guessed_is_refused():
    with pytest.raises(ValueError, match="is no token; accepted: 32 to 256 of") as refused:
        OperatorApi(None, StandIn(), "secret")
    assert "secret" not in str(refused.value)


def test_a_token_is_made_once_and_is_its_owners_alone(tmp_path):
    path = tmp_path / "operator.token"
    token = operator_token.keep(path)
    assert len(token) >= 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert operator_token.keep(path) == operator_token.read(path) == token
    assert os.listdir(tmp_path) == ["operator.token"]


def test_all_who_make_it_at_once_have_the_same(tmp_path):
    with ThreadPoolExecutor(WRITERS) as pool:
        tokens = set(pool.map(operator_token.keep, [tmp_path / "operator.token"] * 20))
    assert len(tokens) == 1


def test_a_token_that_others_can_read_is_no_secret(tmp_path):
    path = tmp_path / "operator.token"
    token = operator_token.keep(path)
    path.chmod(0o644)
    with pytest.raises(ValueError, match=r"can be read by others \(644\); accepted: mode 600") as e:
        operator_token.keep(path)
    assert token not in str(e.value)


@pytest.mark.parametrize("content", ["", "short", "x" * 300, "a b" * 20, "\u00fc" * 40])
def test_a_file_that_is_no_token_is_told(tmp_path, content):
    path = tmp_path / "operator.token"
    path.write_text(content)
    path.chmod(0o600)
    with pytest.raises(ValueError, match=r"operator\.token says is no token"):
        operator_token.keep(path)
