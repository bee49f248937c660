"""A caller whose machine vanished says no goodbye; its place is given to the next one all the same.

Real interfaces: the wire is cut, so nothing that the kernel of the vanished one does is heard.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lab.wire import Knobs
from lab.wire.namespaces import Host, available
from lab.wire.process import WireProcess

ROOT = Path(__file__).parents[2]

ONE_PLACE = """
from era2_tcp import transport

transport.MOST_CONNECTIONS = 1
transport.KEEPALIVE_AFTER_S = transport.KEEPALIVE_EACH_S = transport.KEEPALIVES = 1
transport.serve("tcp://10.7.0.2:0", lambda request: request, lambda url: print(url, flush=True))
"""

CALL_AND_STAY = """
import sys
from era2_tcp import transport

transport.SILENCE_TIMEOUT_S = 20
caller = transport.Caller(sys.argv[1])
print(caller.call({"op": "hello"}), flush=True)
sys.stdin.read()
"""


@contextmanager
def running(host: Host, program: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A program inside a host of the wire, killed at the end."""
    command = [*host.argv_prefix(), sys.executable, "-c", program, *arguments]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, cwd=ROOT) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.skipif(bool(available()), reason=str(available()))
def test_a_vanished_caller_gives_its_place_back():
    with WireProcess.real(Knobs(), seed=1) as wire, running(wire.inventory, ONE_PLACE) as inventory:
        address = inventory.stdout.readline().strip()
        with running(wire.orders, CALL_AND_STAY, address) as vanished:
            assert "hello" in vanished.stdout.readline(), "it has the only place"
            wire.partition()
            with running(wire.inventory, CALL_AND_STAY, address) as next_one:
                assert "hello" in next_one.stdout.readline()
