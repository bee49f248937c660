"""What a reload leaves behind: nothing of the one before."""

import asyncio
from pathlib import Path

import pytest

from era5_sidecar import life
from era5_sidecar.life import Life

FILE = """
service = "orders"
instance = "orders"
app = "unix:app.sock"
admin_listen = "http://127.0.0.1:0"

[inbound]
listen = "http://127.0.0.1:0"
is_edge = true

[outbound]
listen = "http://127.0.0.1:0"

[outbound.services.inventory]

[registry]
url = "http://127.0.0.1:9"
secret = "secret"
"""


class Following:
    """In the place of Discovery: follows the registry from `start` to `stop`."""

    made: list["Following"]

    def __init__(self, *told: object) -> None:
        self.is_on = False
        self.made.append(self)

    async def start(self) -> None:
        await asyncio.sleep(0)  # it asks the registry for the first time
        self.is_on = True

    async def stop(self) -> None:
        await asyncio.sleep(0)
        self.is_on = False


@pytest.fixture
def path(tmp_path) -> Path:
    (tmp_path / "secret").write_text("x" * 64)
    (tmp_path / "sidecar.toml").write_text(FILE)
    return tmp_path / "sidecar.toml"


def test_of_many_reloads_at_once_one_asks_the_registry(path, monkeypatch):
    async def reloaded() -> list[Following]:
        monkeypatch.setattr(Following, "made", [], raising=False)
        monkeypatch.setattr(life, "Discovery", Following)
        alive = Life(path, print)
        async with asyncio.TaskGroup() as group:
            for _ in range(5):
                group.create_task(alive._reload())
        return Following.made

    made = asyncio.run(reloaded())
    assert len(made) == 5
    assert [each.is_on for each in made] == [False] * 4 + [True]
