"""The operator's command: what it prints for people and for programs, and its exit codes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from era6_control_plane import mesh, mesh_screen
from lab.find import Era
from lab.verbs import mesh as verb
from tests.era6.operators import TOKEN, desk

ROOT = Path(__file__).parents[2]
SHOP = (ROOT / "era6_control_plane" / "intent.toml").read_text()
ONE, TWO = "[services.a]\n", "[services.a]\nsettle_s = 2\n"
KNOWN = {"desired": "0123456789abcdef", "acknowledged": "0123456789abcdef", "refused": None}
LATE = {**KNOWN, "acknowledged": "fedcba9876543210"}
REFUSING = {**LATE, "refused": "cluster outbound|a|: \x1b[2Jno such filter"}
NODE = {"node": "a-1", "service": "a", "version": "v1", "data_plane": "python", "connected": True}


@pytest.fixture(params=["http://127.0.0.1:0", "unix"])
def served(request, tmp_path):
    address = f"unix:{tmp_path}/operator" if request.param == "unix" else request.param
    with desk(tmp_path, address) as each:
        yield each


@pytest.fixture
def near(tmp_path):
    with desk(tmp_path) as each:
        yield each


@pytest.fixture
def type_(tmp_path, capsys, monkeypatch):
    """Types a command; exit code, stdout, stderr."""
    token = tmp_path / "token"
    token.touch(mode=0o600)
    token.write_text(TOKEN)
    monkeypatch.setenv("ERAS_MESH_TOKEN", str(token))

    def typed(at, *words: str) -> tuple[int, str, str]:
        monkeypatch.setenv("ERAS_MESH", at if isinstance(at, str) else at.address)
        with pytest.raises(SystemExit) as ended:
            mesh.main(words, lambda address: None)
        told = capsys.readouterr()
        return ended.value.code, told.out, told.err

    return typed


@pytest.fixture
def file(tmp_path):
    def written(text: str | bytes, name: str = "mine.toml") -> str:
        path = tmp_path / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return str(path)

    return written


def test_a_whole_life_of_an_intent(served, type_, file):
    assert type_(served, "apply", file(ONE), "--note", "at first", "--who", "ada") == (
        0,
        "revision 1\n  services.a: new\n",
        "",
    )
    code, out, err = type_(served, "get")
    assert (code, out) == (0, ONE)  # so that it can go into a file
    assert err.startswith("revision 1, 20")
    assert err.endswith("by ada: at first\n")
    code, out, _ = type_(served, "diff", file(TWO))
    assert code == 0
    assert "+settle_s = 2" in out
    assert "services.a.settle_s: 1.0 -> 2" in out
    assert type_(served, "apply", file(TWO), "--base", "1")[:2] == (
        0,
        "revision 2\n  services.a.settle_s: 1.0 -> 2\n",
    )
    assert type_(served, "apply", file(TWO))[1] == (
        "revision 2 says just this; nothing has changed\n"
    )
    assert type_(served, "rollback", "1")[1] == "revision 3\n  services.a.settle_s: 2 -> 1.0\n"
    _, out, _ = type_(served, "history", "--limit", "2")
    assert [line.split(",")[0] for line in out.splitlines() if line[0] != " "] == [
        "revision 3",
        "revision 2",
    ]
    assert ": back to revision 1\n    services.a.settle_s: 2 -> 1.0\n" in out
    assert type_(served, "diff", "--from", "1", "--to", "3")[1] == "the same\n"
    assert type_(served, "token", "a", "a-1", "--life", "60")[1] == "join-token\n"
    assert type_(served, "rotate")[1] == "rotation of the authorities: both trusted\n"


def test_for_programs_there_is_json(near, type_, file):
    said = [
        ("apply", file(ONE)),
        ("get",),
        ("history",),
        ("status",),
        ("diff", file(TWO, "two.toml")),
    ]
    for words in said:
        code, out, err = type_(near, *words, "--json")
        assert (code, err) == (0, "")
        assert isinstance(json.loads(out), dict)
    assert json.loads(type_(near, "--json", "get")[1])["text"] == ONE


def test_a_text_may_come_from_stdin(near, type_, monkeypatch, tmp_path, file):
    with open(file(ONE)) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        assert type_(near, "apply", "-")[0] == 0
    assert near.ruling.revision.text == ONE


# Refused: 1.


def test_an_intent_that_is_refused_is_told_with_the_files_own_name(near, type_, file):
    path = file(SHOP.replace('"reports"]', '"report"]'))
    code, out, err = type_(near, "apply", path)
    line = SHOP.split('"reports"]')[0].count("\n") + 1
    assert (code, out) == (1, "")
    assert err.startswith(f"eras mesh apply: {path}, line {line}: services.inventory.may[2].call")
    assert type_(near, "diff", path)[2].startswith(f"eras mesh diff: {path}, line {line}: ")
    assert near.ruling.revision is None


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("get",), "eras mesh get: nothing was ever said; accepted: PUT /intent\n"),
        (("rollback", "7"), "eras mesh rollback: revision 7 is not known: there is none yet\n"),
        (("history", "--limit", "0"), "limit is '0': accepted is a whole number"),
        (("token", "b", "b-1"), "service is not in the intent: accepted are none"),
        (("diff", "--from", "4"), "revision 4 is not known"),
    ],
)
def test_what_the_control_plane_refuses_is_told_in_its_words(near, type_, words, told):
    code, out, err = type_(near, *words)
    assert (code, out) == (1, "")
    assert told in err


def test_a_change_of_what_is_not_the_newest_is_refused(near, type_, file):
    type_(near, "apply", file(ONE))
    code, _, err = type_(near, "apply", file(TWO), "--base", "0")
    assert (code, near.ruling.revision.text) == (1, ONE)
    assert "revision 1 is the newest, and not 0" in err


def test_another_token_is_refused(near, type_, tmp_path):
    other = tmp_path / "other"
    other.touch(mode=0o600)
    other.write_text("x" * 40)
    code, _, err = type_(near, "status", "--token-file", str(other))
    assert code == 1
    assert "accepted: Authorization: Bearer and the operator's token" in err


# Misunderstood, or nobody there: 2.


@pytest.mark.parametrize(
    ("at", "told"),
    [
        ("", "where is the control plane? accepted: --at or $ERAS_MESH"),
        ("http://127.0.0.1:1", "no control plane at http://127.0.0.1:1: Connection refused"),
        ("unix:/no/such/socket", "no control plane at unix:/no/such/socket: No such file"),
        ("http://192.0.2.1:80", "accepted: http://IP:PORT with an IP of this machine's own"),
        ("http://example.com:80", "accepted: http://IP:PORT with an IP of this machine's own"),
        ("https://127.0.0.1:80", "accepted: http://IP:PORT"),
        ("http://127.0.0.1", "accepted: http://IP:PORT"),
        ("http://127.0.0.1:99999", "accepted: http://IP:PORT"),
        ("http://u@127.0.0.1:80", "accepted: http://IP:PORT"),
        ("unix:", "accepted: http://IP:PORT"),
        ("nonsense", "accepted: http://IP:PORT"),
    ],
)
def test_where_nobody_is_or_can_be_is_told(type_, at, told):
    code, out, err = type_(at, "status")
    assert (code, out) == (2, "")
    assert told in err


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("dance",),
        ("apply",),
        ("rollback", "x"),
        ("apply", "/no/such/file"),
        ("diff", "/no/such/file"),
        ("token", "a"),
        ("status", "--wait", "x"),
        ("diff", "x", "--to", "1"),
    ],
)
def test_what_cannot_be_typed_is_told(near, type_, words):
    code, out, err = type_(near, *words)
    assert (code, out) == (2, "")
    assert err


def test_a_file_that_is_no_text_is_told_with_its_line(near, type_, file):
    path = file(b"[services.a]\n# \xff\n")
    code, _, err = type_(near, "apply", path)
    assert (code, err) == (2, f"eras mesh apply: {path}, line 2: the text is no UTF-8\n")


def test_a_file_that_is_endless_is_not_read_to_its_end(near, type_):
    code, _, err = type_(near, "apply", "/dev/zero")
    assert code == 2
    assert "/dev/zero is longer than" in err


def test_without_a_token_nobody_is_asked(near, type_, monkeypatch, tmp_path):
    monkeypatch.setenv("ERAS_MESH_TOKEN", "")
    assert "who are you? accepted: --token-file or $ERAS_MESH_TOKEN" in type_(near, "get")[2]
    assert type_(near, "get", "--token-file", str(tmp_path / "none")) == (
        2,
        "",
        f"eras mesh get: {tmp_path}/none: No such file or directory\n",
    )
    (tmp_path / "open").write_text(TOKEN)
    (tmp_path / "open").chmod(0o644)
    code, _, err = type_(near, "get", "--token-file", str(tmp_path / "open"))
    assert code == 2
    assert "can be read by others (644)" in err
    assert TOKEN not in err


# Who obeys.


def test_who_applies_may_wait_until_all_obey(near, type_, file):
    near.behind.nodes = [{**NODE, "types": {"CDS": KNOWN, "RDS": KNOWN}}]
    code, out, _ = type_(near, "apply", file(ONE), "--wait", "3")
    assert (code, out) == (0, "revision 1\n  services.a: new\nobeyed by 1 of 1 nodes\n")
    assert near.behind.waits == [(1, 3.0)]


def test_a_node_that_refuses_or_is_late_is_told_and_so_is_the_exit_code(near, type_, file):
    late = {**NODE, "node": "a-2", "types": {"CDS": LATE}}
    gone = {**NODE, "node": "a-3", "connected": False, "types": {"CDS": LATE}}
    near.behind.nodes = [{**NODE, "types": {"CDS": REFUSING, "RDS": KNOWN}}, late, gone]
    code, out, _ = type_(near, "apply", file(ONE), "--wait", "3")
    assert code == 1
    assert out.splitlines()[2:] == [
        "obeyed by 0 of 2 nodes",
        "a-1 refused CDS: cluster outbound|a|: ?[2Jno such filter",
        "not yet by a-2",
    ]


def test_status_is_a_table(near, type_):
    near.behind.nodes = [
        {**NODE, "types": {"CDS": KNOWN, "RDS": LATE}},
        {**NODE, "node": "orders", "service": "orders", "version": "", "data_plane": "envoy",
         "connected": False, "types": {"CDS": REFUSING}},
    ]  # fmt: skip
    near.behind.endpoints = [
        {"service": "a", "instance": "a-1", "version": "v1", "url": "http://127.0.0.1:5",
         "age_s": 12.3}
    ]  # fmt: skip
    near.behind.authorities |= {
        "signing": "7c1e11c496322fd3", "authorities": ["7c1e11c4", "6def9586"], "waits_for": ["a-1"]
    }  # fmt: skip
    code, out, _ = type_(near, "status")
    assert code == 0
    assert out == (
        "revision 0; 2 nodes, 1 connected\n"
        "\n"
        "NODE    SERVICE  VERSION  DATA PLANE  CONNECTED  CDS             RDS\n"
        "a-1     a        v1       python      yes        =               fedcba/012345\n"
        "orders  orders   -        envoy       no         fedcba/012345!  -\n"
        "orders refused CDS: cluster outbound|a|: ?[2Jno such filter\n"
        "\n"
        "INSTANCE  SERVICE  VERSION  URL                 AGE\n"
        "a-1       a        v1       http://127.0.0.1:5  12 s\n"
        "\n"
        "authorities: steady, 7c1e11 signs, 2 trusted, waiting for a-1\n"
    )


def test_nothing_that_a_terminal_obeys_is_printed():
    assert mesh_screen.plain("a\x1b[2J\u202e\x9b\n\tb\u3000\u4e2d") == "a?[2J??\n\tb\u3000\u4e2d"


# As processes.


def test_it_is_a_role_of_the_era(near, tmp_path):
    token = tmp_path / "token"
    token.touch(mode=0o600)
    token.write_text(TOKEN)
    told = {"ERAS_MESH": near.address, "ERAS_MESH_TOKEN": str(token), "http_proxy": "http://x:1"}
    command = [sys.executable, "-m", "era6_control_plane", "mesh"]
    shown = subprocess.run(
        [*command, "--json", "apply", "-", "--who", "ada"],
        cwd=ROOT, env={**os.environ, **told}, input=ONE, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert (shown.returncode, shown.stderr) == (0, "")
    assert json.loads(shown.stdout)["revision"] == 1
    shown = subprocess.run(
        [*command, "--help"], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert shown.returncode == 0
    for each in mesh.VERBS:
        assert each in shown.stdout


def test_eras_mesh_becomes_the_command_of_the_newest_era_that_has_a_control_plane(monkeypatch):
    said = {"portable": "http", "real": "http"}
    found = [
        Era("era5_sidecar", "", said, ROOT, has_sidecars=True),
        Era("era6_control_plane", "", said, ROOT, has_control_plane=True),
    ]
    became: list[list[str]] = []
    monkeypatch.setattr(verb, "eras", lambda: found)
    monkeypatch.setattr(os, "execve", lambda path, words, environment: became.append(words))
    verb.pass_on(["--at", "unix:/x", "status", "--help"])
    command = ["-m", "era6_control_plane", "mesh", "--at", "unix:/x", "status", "--help"]
    assert became == [[sys.executable, *command]]
    found.pop()
    verb.pass_on(["status"])
    with pytest.raises(verb.NoMesh, match="no era here has a control plane"):
        verb.run(None)
    assert len(became) == 1
