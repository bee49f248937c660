"""Does the application live? As its sidecar sees it."""

import asyncio

import pytest

from era5_sidecar import health as module
from era5_sidecar.health import Health, Pulse
from tests.era5.scripted import SILENCE, Scripted, answer, scripted, until

GOOD, BAD = answer(), answer(b"", 500)


@pytest.fixture(autouse=True)
def soon(monkeypatch) -> None:
    monkeypatch.setattr(module, "TIMEOUT_S", 0.2)


def test_one_failure_is_an_accident_and_two_are_a_rule():
    pulse = Pulse()
    assert [pulse.hear(each) for each in (True, False, True, False, False)] == [True, 0, 0, 0, True]
    assert not pulse.is_well


def test_one_good_answer_heals_and_nothing_is_told_twice():
    pulse = Pulse()
    assert [pulse.hear(each) for each in (False, False, False, True, True)] == [0, 0, 0, True, 0]
    assert pulse.is_well


class Heard:
    """What a health tells."""

    def __init__(self) -> None:
        self.changes: list[bool] = []
        self.said: list[str] = []
        self.refuses = ""

    async def on_change(self, is_well: bool) -> None:
        if self.refuses:
            raise ValueError(self.refuses)
        self.changes.append(is_well)

    def health(self, app: Scripted) -> Health:
        return Health(app.url, "/alive", 0.02, self.on_change, self.said.append)


def test_an_app_that_falls_silent_and_comes_back_is_told_of_each_time(tmp_path):
    async def live() -> None:
        heard = Heard()
        async with scripted(GOOD, tmp_path / "app.sock") as app:
            health = heard.health(app)
            assert not health.is_well
            await health.start()
            await until(lambda: heard.changes == [True])
            assert app.asked[0].startswith(b"GET /alive HTTP/1.0\r\n")
            for trouble in (BAD, SILENCE, b"", b"nonsense\r\n\r\n"):
                app.say = trouble
                await until(lambda: heard.changes[-1] is False)
                assert not health.is_well
                app.say = GOOD
                await until(lambda: heard.changes[-1] is True)
            assert heard.changes == [True, *[False, True] * 4]
            assert heard.said[:2] == [f"app {app.url}: answers", f"app {app.url}: does not answer"]
            await health.stop()

    asyncio.run(live())


@pytest.mark.parametrize("status", [200, 204, 301, 401, 404, 405, 499])
def test_any_answer_but_a_failure_of_its_own_is_a_sign_of_life(status):
    async def live() -> None:
        heard = Heard()
        async with scripted(answer(b"", status)) as app:
            await heard.health(app).ask_once()
        assert heard.changes == [True]

    asyncio.run(live())


def counted(health: Health, monkeypatch) -> list[float]:
    """Grows when it has asked and heard, or heard nothing."""
    asked, ask_once = [], health.ask_once

    async def count() -> None:
        await ask_once()
        asked.append(0)

    monkeypatch.setattr(health, "ask_once", count)
    return asked


def test_an_app_that_comes_late_is_noticed_at_once(tmp_path, monkeypatch):
    async def live() -> None:
        heard = Heard()
        path = tmp_path / "app.sock"
        slow = Health(f"unix:{path}", "/", 3600.0, heard.on_change, heard.said.append)
        asked = counted(slow, monkeypatch)
        await slow.start()
        await until(lambda: len(asked) > 1)
        assert heard.changes == []
        async with scripted(GOOD, path):
            await until(lambda: heard.changes == [True])
        await slow.stop()

    asyncio.run(live())


def test_what_a_change_leads_to_may_be_refused_and_is_tried_again():
    async def live() -> None:
        heard = Heard()
        heard.refuses = "the registry refused: token"
        async with scripted(GOOD) as app:
            health = heard.health(app)
            await health.start()
            await until(lambda: len(app.asked) > 3)
            assert heard.said == [f"app {app.url}: answers", heard.refuses]
            heard.refuses = ""
            await until(lambda: heard.changes == [True])
            await health.stop()

    asyncio.run(live())


def test_one_that_is_stopped_asks_no_more():
    async def live() -> None:
        heard = Heard()
        async with scripted(GOOD) as app:
            health, before = heard.health(app), asyncio.all_tasks()
            await health.start()
            await until(lambda: bool(app.asked))
            await health.stop()
            await until(lambda: asyncio.all_tasks() <= before)  # nobody is left who could ask

    asyncio.run(live())
