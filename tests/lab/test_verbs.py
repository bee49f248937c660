"""The `eras` command as a person types it: what it shows, what it refuses, how it ends."""

import contextlib
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lab.__main__ import VERBS
from lab.find import ROOT, eras
from lab.label import Packets
from lab.stage import Stage
from lab.trace import read_event
from lab.verbs.up import introduction
from tests.lab.processes import FORMS, forked


def run(*arguments: str, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    """Forked, unless something else stands on its input or in its environment."""
    command = [sys.executable, "-m", "lab", *arguments]
    told = None if stdin or environment else forked(command)
    return told or subprocess.run(
        command,
        input=stdin,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, **environment},
        timeout=60,
    )


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(verb):
    told = run(verb, "--help")
    assert told.returncode == 0
    assert f"eras {verb}" in told.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["trace", "9"], "unknown era '9': accepted are 0, 1"),
        (["up", "no/era"], "unknown era 'no/era'"),
        (["demo", "0", "7"], "unknown era '7'"),
        (["diff", "0", "1", "shop.c"], "file 'shop.c' is in neither era; accepted: "),
        (["diff", "1"], "1 eras named; accepted: two, or --concerns or --to-learn"),
        (["trace", "0", "--loss", "1.5"], "loss is 1.5; accepted: a probability from 0 to 1"),
        (["trace", "0", "--there", "drop,eat"], "'eat'; accepted: "),
        (["trace", "0", "--op", "steal"], "accepted are place ORDER SKU QUANTITY"),
        (["trace", "0", "--patience-s", "-1"], "'-1'; accepted: seconds, a number above 0"),
        (["up", "0", "--patience-s", "nan"], "'nan'; accepted: seconds, a number above 0"),
        (["trace", "0", "--pcap", "/no/folder/x"], "--pcap /no/folder/x; accepted: a file"),
        (["trace", "2", "--wire", "portable", "--pcap", "x.pcapng"], "take form real"),
        (["up", "3", "--instances", "0"], "instances is 0; accepted: 1 to 20"),
        (["measure", "nothing"], "transport"),
        (["measure", "stack", "--record", "/no/x.json"], "--record: there is no folder '/no'"),
        (["dance"], "invalid choice: 'dance'"),
        ([], "usage: eras"),
    ],
)
def test_what_cannot_be_is_refused_in_words(arguments, said):
    told = run(*arguments)
    assert told.returncode == 2
    assert said in told.stderr
    assert "Traceback" not in told.stderr


def test_a_traced_order_is_a_ladder_in_plain_text():
    told = run("trace", "0", "--wire", "portable")
    assert told.returncode == 0
    assert "reserve o-1 sku-0001 2 ──" in told.stdout
    assert "placed: 2 of sku-0001 as o-1" in told.stdout
    assert "\x1b" not in told.stdout
    assert max(map(len, told.stdout.splitlines())) <= 80


def test_no_color_is_honoured_where_colours_would_be():
    coloured = run("diff", "0", "1", "orders.py", FORCE_COLOR="1")
    plain = run("diff", "0", "1", "orders.py", FORCE_COLOR="1", NO_COLOR="1")
    assert "\x1b[32m" in coloured.stdout
    assert "\x1b[32m" not in plain.stdout


def test_a_terminal_without_utf8_gets_ascii():
    told = run("trace", "0", "--wire", "portable", PYTHONIOENCODING="ascii")
    assert told.returncode == 0
    assert told.stdout.isascii()
    assert "->|" in told.stdout


def test_on_a_terminal_progress_and_ladder_do_not_mix():
    ours, theirs = os.openpty()
    code = (
        "from lab.ladder import Row; from lab.screen import progress, say, screen, show_ladder\n"
        "console = screen()\n"
        "with progress('busy', console):\n"
        "    say(console, 'words'); show_ladder(console, [Row(0, 'orders', '', 'asks', 'call')])\n"
    )
    here = {**os.environ, "TERM": "xterm", "PYTHONIOENCODING": "utf-8"}
    subprocess.run(
        [sys.executable, "-c", code], stdout=theirs, stderr=theirs, cwd=ROOT, env=here, timeout=60
    )
    seen = os.read(ours, 65_536).decode()
    os.close(ours)
    os.close(theirs)
    assert "┃ asks" in seen
    assert not re.search("busy[^\r\n]*(words|sent)", seen)


def test_a_trace_as_json_has_the_one_schema():
    told = run("trace", "0", "--wire", "portable", "--json")
    events = [read_event(line) for line in told.stdout.splitlines()]
    assert {event.what for event in events} == {"call", "send", "deliver", "note", "answer"}
    assert [event.t for event in events] == sorted(event.t for event in events)


def test_a_diff_counts_what_vanished_and_what_appeared():
    told = run("diff", "1", "2", "orders.py")
    assert "--- era1_raw_network/orders.py" in told.stdout
    assert "orders.py: " in told.stdout
    assert "vanished" in run("diff", "1", "2", "--stat").stdout.splitlines()[-1]


def test_the_doctor_looks_at_everything_and_finds_what_is_needed():
    told = run("doctor")
    assert told.returncode == 0
    for what in (
        "Python",
        "loopback UDP",
        "SQLite",
        "real wire",
        "UDP trust",
        "web packages",
        "tshark",
    ):
        assert what in told.stdout


def test_up_obeys_until_quit_and_leaves_nothing(tmp_path):
    lines = "place o-1 sku-0001 2\nloss 0.5\nloss 7\nkill inventory\nrestart inventory\n"
    lines += "dance\nstores\nstats\ntrace\nhelp\nquit\n"
    told = run("up", "0", "--wire", "portable", "--directory", str(tmp_path), stdin=lines)
    assert told.returncode == 0, told.stderr
    for part in (
        "customer --counter",
        "placed: 2 of sku-0001 as o-1",
        "loss is 7.0; accepted",
        "'dance' is no command; accepted:",
        "inventory has reserved:  2 of sku-0001 as o-1",
        "there: 1 sent",
        "┠─ reserve",
    ):
        assert part in told.stdout
    assert (tmp_path / "stock.db").exists()
    assert not alive(told.stdout)


@pytest.mark.skipif(not shutil.which("curl"), reason="no curl found")
@pytest.mark.parametrize("form", FORMS)
def test_the_line_for_another_terminal_places_an_order(form):
    with Stage("tests.lab.web_era", form, instances=1) as stage:
        told = introduction(stage).splitlines()
        (line,) = [line for line in told if line.strip().startswith("curl")]
        curl = subprocess.run(shlex.split(line), capture_output=True, timeout=20)
        assert json.loads(curl.stdout)["outcome"] == "placed"
        assert [line.split()[0] for line in told[1:4]] == ["registry", "inventory-1", "orders"]


def test_an_order_among_many_instances_is_traced_to_the_one_that_was_asked():
    told = run("trace", "tests.lab.web_era", "--wire", "portable")
    assert told.returncode == 0, told.stderr
    assert told.stdout.split()[:5] == ["sent", "orders", "inventory-1", "-2", "-3"]
    for part in ("┠─ PUT /reservations/o-1", "sku-0001 2", "200 reserved ─", "placed: 2 of"):
        assert part in told.stdout
    assert max(map(len, told.stdout.splitlines())) <= 80


def test_ctrl_c_ends_up_with_130_and_leaves_nothing():
    up = subprocess.Popen(
        [sys.executable, "-m", "lab", "up", "0", "--wire", "portable"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    told = ""
    while "quit or Ctrl-C" not in told:
        told += up.stdout.readline()
    up.send_signal(signal.SIGINT)
    _, complaints = up.communicate(timeout=20)
    assert up.returncode == 130
    assert "nothing is left running" in complaints
    assert not alive(told)


@pytest.mark.parametrize(
    ("verb", "reads_until"),
    [("diff 0 1", b""), ("trace 0", b""), ("doctor", b""), ("demo 0", b"[portable wire")],
)
def test_a_reader_who_leaves_ends_it_quietly_and_nothing_is_left(verb, reads_until):
    mark = f"left-by-{os.getpid()}-{verb}"
    told = subprocess.Popen(
        [sys.executable, "-m", "lab", *verb.split()],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=ROOT,
        env={**os.environ, "STARTED_FOR": mark},
    )
    while reads_until and reads_until not in told.stdout.readline():
        pass
    told.stdout.close()
    _, complaints = told.communicate(timeout=30)
    assert (told.returncode, complaints) == (141, b""), "as of any program that SIGPIPE ended"
    assert not started_for(mark)


def started_for(mark: str) -> list[str]:
    """The processes that have inherited this mark (Linux)."""
    found = []
    for environment in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if mark in environment.read_text(errors="replace"):
                found.append(environment.with_name("cmdline").read_text().replace("\0", " "))
    return found


def test_an_era_without_a_role_tells_its_story():
    told = subprocess.run(
        [sys.executable, "-m", "era0_naive"], capture_output=True, text=True, cwd=ROOT, timeout=60
    )
    assert told.returncode == 0, told.stderr
    assert "What still fails: " in told.stdout


def test_the_tour_has_a_story_of_each_era():
    assert all((era.folder / "story.toml").exists() for era in eras())


def test_segments_are_counted_from_the_start_of_their_stream():
    packets = Packets()
    assert packets.label(segment(flags=2, seq=2**32 - 1), 40) == "SYN"
    assert packets.label(segment(flags=24, seq=0) + b"{}" * 5, 50).startswith("DATA 1-10 ACK")
    assert "again" in packets.label(segment(flags=24, seq=0) + b"{}" * 5, 50)
    assert packets.label(b"\x00" * 10, 10) == "10 bytes"


def segment(flags: int, seq: int) -> bytes:
    ip = bytes([0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0, 10, 7, 0, 1, 10, 7, 0, 2])
    numbers = seq.to_bytes(4, "big") + (7).to_bytes(4, "big")
    return ip + b"\x10\x00\x20\x00" + numbers + bytes([0x50, flags, 1, 0, 0, 0, 0, 0])


def alive(told: str) -> list[int]:
    """Those of the processes whose `pid N` was told that still run."""
    words = told.split()
    pids = [int(words[n + 1]) for n, word in enumerate(words) if word == "pid"]
    assert len(pids) >= 2
    return [pid for pid in pids if Path(f"/proc/{pid}").exists()]
