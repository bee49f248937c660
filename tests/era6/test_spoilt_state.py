"""A state folder that has come to harm, under a real pilot: nothing that was accepted is lost."""

import asyncio
import os
import resource
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest

from era5_sidecar.certificates import replace
from era6_control_plane import pilot_link
from era6_control_plane.citadel import Citadel
from era6_control_plane.history import History
from era6_control_plane.mesh_client import Refused
from era6_control_plane.words import Heartbeat
from tests.era6.pilot_process import INTENT, PilotProcess, pilot

NOW = 1_800_000_000.0
UNWRITTEN = "^the state cannot be written: "
SLOWER = INTENT.replace("[services.inventory]\n", "[services.inventory]\nmost_in_flight = {}\n")
SPOILT = {
    "intent.db": "history {} is damaged",
    "membership.db": "store {}: file is not a database",
    "citadel/citadel.db": "store {}: file is not a database",
    "citadel/1/authority.key": "authority {} is damaged",
    "operator.token": "what {} says is no token",
}


def run(test):
    asyncio.run(asyncio.wait_for(test(), 60))


def let_write(there: PilotProcess, is_allowed: bool) -> None:
    """A file that grows no more: as on a disk that is full, and for this process alone."""
    most = resource.RLIM_INFINITY if is_allowed else 0
    resource.prlimit(there.process.pid, resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))


def all_in_one(path: Path) -> None:
    """What is still beside an SQLite file is brought into it."""
    with closing(sqlite3.connect(path)) as file:
        file.execute("PRAGMA wal_checkpoint(TRUNCATE)")


@pytest.mark.skipif(sys.platform != "linux", reason="another process' limits are Linux's")
def test_where_nothing_can_be_written_all_is_refused_and_later_is_not(tmp_path):
    async def test():
        async with pilot(tmp_path) as there:
            let_write(there, False)
            token = {"service": "orders", "instance": "orders-1"}
            asked = (
                ("PUT", "/intent", {"text": SLOWER.format(7), "who": "test"}),
                ("POST", "/tokens", token),
                ("POST", "/authorities/rotate", {}),
            )
            for wish in asked:
                with pytest.raises(Refused, match=UNWRITTEN):
                    await there.ask(*wish)
            status = await there.status()
            assert (status["revision"], status["authorities"]["stage"]) == (1, "steady")
            assert not any("a token for" in line for line in there.said), "there is none"
            let_write(there, True)
            for wish in asked:
                await there.ask(*wish)
            await there.stop(kill=True)
            await there.start()
            told = await there.ask("GET", "/intent")
            assert (told["revision"], told["text"]) == (2, SLOWER.format(7))
            assert (await there.status())["authorities"]["stage"] != "steady"

    run(test)


@pytest.mark.parametrize("name", SPOILT)
def test_a_pilot_says_which_file_is_spoilt_and_starts_when_it_is_mended(name, tmp_path):
    async def test():
        async with pilot(tmp_path) as there:
            await there.apply(SLOWER.format(7))
            assert await there.stop() == 0
            path = there.state / name
            if path.suffix == ".db":
                all_in_one(path)
            whole = path.read_bytes()
            path.write_bytes(b"nonsense" * 600)
            with pytest.raises(AssertionError):
                await there.start()
            assert await there.stop() == 2
            where = path.parent if path.name == "authority.key" else path
            assert SPOILT[name].format(where) in there.said[-1]
            path.write_bytes(whole)
            await there.start()
            assert (await there.ask("GET", "/intent"))["text"] == SLOWER.format(7)

    run(test)


def test_a_history_that_was_emptied_takes_nothing_with_it(tmp_path):
    path = tmp_path / "intent.db"
    history = History(path)
    history.add("text", "ada", "", ["a: new"], 0, NOW)
    whole = path.read_bytes()
    os.truncate(path, 0)
    with pytest.raises(ValueError, match=r"it is empty, and intent\.db-wal beside it is not"):
        History(path)
    path.write_bytes(whole)
    assert History(path).newest().text == "text"


def test_a_pilot_that_knows_instances_and_no_revision_says_so(tmp_path):
    async def test():
        async with pilot(tmp_path) as there:
            shown = await there.join("inventory", "inventory-1")
            async with pilot_link.channel(there.at["nodes"], there.believed(), shown) as opened:
                attending = pilot_link.Attending(opened)
                beat = Heartbeat(url="http://127.0.0.1:9999", version="v1", is_well=True)
                await attending.say(beat)
                await attending.hear()
                while not (await there.status())["endpoints"]:
                    await asyncio.sleep(0.01)
            await there.stop()
            for each in there.state.glob("intent.db*"):
                each.unlink()
            await there.start()
            assert any("what was said before them is lost" in line for line in there.said)

    run(test)


def test_an_authority_that_cannot_be_read_is_named(tmp_path):
    Citadel(tmp_path, NOW).close()
    (tmp_path / "1" / "authority.pem").write_bytes(b"")
    with pytest.raises(ValueError, match=f"^authority {tmp_path}/1 is damaged: "):
        Citadel(tmp_path, NOW)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")
def test_a_file_that_cannot_be_written_is_named(tmp_path, monkeypatch):
    path = tmp_path / "authority.pem"
    opens = os.open
    monkeypatch.setattr(os, "open", lambda at, flags, mode: opens("/dev/full", os.O_WRONLY))
    with pytest.raises(OSError, match=f"No space left on device: '{path}'"):
        replace(path, b"pem", 0o600)
    assert not path.exists()
