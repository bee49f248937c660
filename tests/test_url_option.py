"""`pytest --url` with an address where no shop is: told once, before anything is run."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.address import knock

ROOT = Path(__file__).resolve().parents[1]


def contract(*options: str) -> subprocess.CompletedProcess[str]:
    """Runs the stories as a learner would."""
    stories = ["tests/contract/test_stories.py", "-q", "-p", "no:cacheprovider"]
    command = [sys.executable, "-m", "pytest", *stories, *options]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)


@pytest.fixture
def dead_url() -> str:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.mark.parametrize("more", [[], ["-n", "2"]], ids=["one process", "two workers"])
def test_a_dead_address_is_told_once(dead_url, more):
    run = contract("--url", dead_url, *more)
    told = run.stdout + run.stderr
    assert run.returncode == pytest.ExitCode.USAGE_ERROR
    assert told.count("Connection refused") == told.count("ERROR") == 1, told
    assert f"--url '{dead_url}': nobody at" in told
    assert "Traceback" not in told and "FAILED" not in told


def test_an_address_that_is_none_is_told_once_with_what_is_accepted():
    run = contract("--url", "localhost:8000")
    told = run.stdout + run.stderr
    assert run.returncode == pytest.ExitCode.USAGE_ERROR
    assert told.count("'localhost:8000' is no address") == told.count("ERROR") == 1, told
    assert "accepted: http://host:port" in told
    assert "Traceback" not in told


NO_ADDRESSES = [
    "",
    "shop",
    "ftp://127.0.0.1:8000",
    "http://",
    "http://:8000",
    "http://127.0.0.1:port",
    "http://127.0.0.1:99999",
    "http://[::1",
    "http://a b:8000",
    f"http://{'a' * 70}:8000",
    "http://a..b:8000",
]


@pytest.mark.parametrize("url", NO_ADDRESSES)
def test_what_is_no_address_is_refused_with_what_is_accepted(url):
    with pytest.raises(ValueError, match="is no address; accepted: http://host:port"):
        knock(url)


def test_a_shop_that_lets_in_and_says_nothing_is_found_out_at_once():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with pytest.raises(ValueError, match=r"lets in and says nothing: no answer within 0\.2 s"):
            knock(url, patience_s=0.2)
