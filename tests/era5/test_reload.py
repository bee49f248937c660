"""What a reload leaves behind: nothing of the one before."""

import asyncio
import errno
import shutil
import ssl
from pathlib import Path

import pytest

from era4_framework.config_rules import ConfigError
from era5_sidecar import certificates, registration
from era5_sidecar.config import SidecarConfig, TlsConfig
from era5_sidecar.inheritance import AGAIN
from era5_sidecar.last_good import Keeping, copy_of, keep
from era5_sidecar.life import Life
from era5_sidecar.starting import open_all
from era5_sidecar.tls import client_context

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
        monkeypatch.setattr(registration, "Discovery", Following)
        alive = Life(path, print)
        async with asyncio.TaskGroup() as group:
            for _ in range(5):
                group.create_task(alive._reload())
        return Following.made

    made = asyncio.run(reloaded())
    assert len(made) == 5
    assert [each.is_on for each in made] == [False] * 4 + [True]


GUARDED = """
service = "inventory"
instance = "inventory-1"
app = "http://127.0.0.1:9"
admin_listen = "http://127.0.0.1:0"

[inbound]
listen = "http://127.0.0.1:0"

[[inbound.may]]
callers = ["orders"]
method = "*"
path = "/"

[tls]
certificate = "inventory.pem"
key = "inventory.key"
authority = "authority.pem"
"""


def signed(folder: Path, *services: str) -> None:
    """What a new authority gives out."""
    folder.mkdir()
    certificates.main(folder, services)


async def status_of(url: str, folder: Path) -> int:
    """What orders is answered, with its certificate of this folder; 0: not let in."""
    files = (str(folder / name) for name in ("orders.pem", "orders.key", "authority.pem"))
    context = client_context(TlsConfig(*files))
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # whoever it is by now
    port = int(url.rpartition(":")[2])
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
        writer.write(b"GET /x HTTP/1.1\r\nHost: inventory\r\nConnection: close\r\n\r\n")
        answer = await reader.read()
        writer.close()
    except OSError:
        return 0
    return int(answer.split()[1]) if answer else 0


def test_an_authority_that_was_replaced_is_believed_no_more(tmp_path):
    old, new = tmp_path / "old", tmp_path / "new"
    for folder in (old, new):
        signed(folder, "orders", "inventory")
    inside = tmp_path / "inside"
    shutil.copytree(old, inside)
    (inside / "sidecar.toml").write_text(GUARDED)

    async def statuses() -> list[int]:
        alive = Life(inside / "sidecar.toml", print)
        proxy = alive._proxy
        await proxy.start(open_all(proxy.config.listens()))
        before = [await status_of(proxy.url, folder) for folder in (old, new)]
        for file in new.iterdir():
            shutil.copy(file, inside / file.name)
        await alive._reload()
        after = [await status_of(proxy.url, folder) for folder in (old, new)]
        await proxy.drain(0.0, 0.0)
        return before + after

    assert asyncio.run(statuses()) == [503, 0, 0, 503]  # 503: let in, and nobody is behind it


def test_what_cannot_change_in_a_reload_stays_and_is_named(path, capsys):
    async def reloaded() -> Life:
        alive = Life(path, print)
        path.write_text(
            FILE.replace("is_edge = true", "is_edge = true\ndeadline_s = 1.5").replace(
                "unix:app.sock", "unix:other.sock"
            )
        )
        await alive._reload()
        return alive

    config = asyncio.run(reloaded())._proxy.config
    assert config.inbound.deadline_s == 1.5
    assert config.app.endswith("app.sock")
    assert "sidecar.toml is in force; at the next upgrade: app" in capsys.readouterr().err


def test_who_is_started_again_over_a_bad_file_has_what_was_in_force(path, monkeypatch, capsys):
    keep(path, path.read_bytes())
    path.write_text(FILE.replace("is_edge = true", "is_edge = 7"))
    with pytest.raises(ConfigError, match="is_edge"):
        Life(path, print)
    monkeypatch.setenv(AGAIN, "yes")
    assert Life(path, print)._proxy.config.inbound.is_edge is True
    assert "is_edge is 7" in capsys.readouterr().err


def reloaded_while(path: Path, edited: str, monkeypatch) -> Life:
    """It reloads; as soon as what it read is in force, somebody writes something else."""

    async def reload() -> Life:
        alive = Life(path, print)
        apply = alive._proxy.apply

        async def apply_and_be_edited(config: SidecarConfig) -> None:
            await apply(config)
            path.write_text(edited)

        monkeypatch.setattr(alive._proxy, "apply", apply_and_be_edited)
        await alive._reload()
        return alive

    return asyncio.run(reload())


@pytest.mark.parametrize("edited", ["banana", FILE + "\n[orders]\n", FILE.replace("true", "7")])
def test_what_is_kept_is_what_was_read_and_not_what_the_file_says_by_then(
    path, monkeypatch, edited
):
    read = path.read_text()
    reloaded_while(path, edited, monkeypatch)
    assert copy_of(path).read_text() == read
    monkeypatch.setenv(AGAIN, "yes")
    assert Life(path, print)._proxy.config.inbound.is_edge is True


def test_who_was_started_over_a_bad_file_keeps_no_bad_copy(path, monkeypatch):
    good = path.read_bytes()
    keep(path, good)
    path.write_text("banana")
    for _ in range(2):  # it dies again and again
        monkeypatch.setenv(AGAIN, "yes")
        Life(path, print)._keep()
    assert copy_of(path).read_bytes() == good


def test_a_copy_is_written_aside_and_a_full_disk_leaves_the_one_before(path, monkeypatch):
    keep(path, b"before")

    def full(self: Path, target: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    said: list[str] = []
    keeping = Keeping(path, said.append)
    for _ in range(3):
        keeping.keep(b"now")
    assert copy_of(path).read_bytes() == b"before"
    assert len(said) == 1
    assert "No space left on device" in said[0]
    assert sorted(each.name for each in path.parent.iterdir() if "in-force" in each.name) == [
        ".sidecar.toml.in-force"
    ]


def test_who_leaves_keeps_nothing_as_another_one_is_in_its_place(path):
    alive = Life(path, print)
    alive.end()
    alive._keep()
    assert not copy_of(path).exists()


def test_if_file_and_copy_are_bad_both_are_told(path, monkeypatch):
    keep(path, b"apple")
    path.write_text(FILE.replace("is_edge = true", "is_edge = 7"))
    monkeypatch.setenv(AGAIN, "yes")
    with pytest.raises(ConfigError, match="is_edge is 7") as refused:
        Life(path, print)
    assert "in-force, line 1: 'apple' is no TOML" in str(refused.value)


def test_a_good_file_needs_no_copy(path, monkeypatch):
    keep(path, b"apple")
    monkeypatch.setenv(AGAIN, "yes")
    assert Life(path, print)._proxy.config.inbound.is_edge is True


def test_a_file_that_is_gone_is_told_without_a_line(path):
    path.unlink()
    with pytest.raises(ConfigError) as refused:
        Life(path, print)
    assert str(refused.value) == f"{path}: the file cannot be read: No such file or directory"


def test_a_good_file_comes_before_what_was_in_force(path, monkeypatch):
    keep(path, path.read_bytes())
    path.write_text(FILE.replace("is_edge = true", "is_edge = true\ndeadline_s = 1.5"))
    monkeypatch.setenv(AGAIN, "yes")
    assert Life(path, print)._proxy.config.inbound.deadline_s == 1.5
