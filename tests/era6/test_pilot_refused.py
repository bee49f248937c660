"""A node refuses what a real pilot tells it, in either dialect: over mutual TLS, as it would be."""

import asyncio
import os
import subprocess
import sys
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import grpc
import pytest

from era6_control_plane.names import CDS, LDS, RDS
from era6_control_plane.talk import Mode
from tests.era6.pilot_process import INTENT, describe, pilot

ROOT = Path(__file__).parents[2]
ROUTES = ("inbound", "outbound")
WHY = "outbound: a timeout\nthat I do not like"
TOLD = "orders-1 refused RDS: outbound: a timeout that I do not like"  # in one line
LATER = INTENT + "[services.inventory.client]\ndeadline_s = {}\n"
BOTH = pytest.mark.parametrize("mode", list(Mode), ids=lambda mode: mode.value)


class Node:
    """Takes what it is told, all but the kinds in `refuses`."""

    def __init__(self, talk, name: str) -> None:
        self.heard: list[str] = []  # kinds
        self.refuses: set[str] = set()
        self._talk, self._name = talk, name
        self._has = {CDS: "", LDS: "", RDS: ""}

    async def run(self) -> None:
        await self._talk.ask(CDS, node=describe(self._name, "orders"))
        await self._talk.ask(LDS)
        await self._talk.ask(RDS, ROUTES)
        while (answer := await self._talk.call.read()) is not grpc.aio.EOF:
            self.heard.append(answer.type_url)
            await self._answer(answer)

    async def _answer(self, answer) -> None:
        kind, is_sotw = answer.type_url, self._talk.mode is Mode.SOTW
        why = WHY if kind in self.refuses else None
        if is_sotw and not why:
            self._has[kind] = answer.version_info
        names = ROUTES if is_sotw and kind == RDS else ()
        version = self._has[kind] if is_sotw else ""
        await self._talk.ask(kind, names, nonce=answer.nonce, version=version, refused=why)


@asynccontextmanager
async def standing(there, name: str, mode: Mode):
    """A node that has joined, and follows until the end of the block."""
    async with there.talking(await there.join("orders", name), mode) as talk:
        node = Node(talk, name)
        running = asyncio.ensure_future(node.run())
        try:
            yield node
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError, grpc.aio.AioRpcError):
                await running


async def known(there, revision: int):
    """What each node has of each kind, when all have taken or refused that."""
    while True:
        status = await there.status(revision)
        assert status["is_settled"], status
        told = {each["node"]: each["types"] for each in status["nodes"]}
        if len(told) == 2 and all(len(types) == 3 for types in told.values()):
            return told
        await asyncio.sleep(0.01)


def is_in_step(types) -> bool:
    return all(
        each["desired"] == each["acknowledged"] and each["refused"] is None
        for each in types.values()
    )


def screen(there, *words: str):
    """What the operator sees."""
    token = str(there.state / "operator.token")
    asked = ["mesh", "--at", there.at["operator"], "--token-file", token, *words]
    return subprocess.run(
        [sys.executable, "-m", "era6_control_plane", *asked],
        cwd=ROOT,
        env=os.environ,
        capture_output=True,
        text=True,
        timeout=20,
    )


@BOTH
def test_a_refusal_is_named_and_costs_nobody_else_anything(mode, tmp_path):
    async def test(there, one, other):
        before = (await known(there, 1))["orders-1"]["RDS"]["acknowledged"]
        one.refuses = {RDS}
        revision = (await there.apply(LATER.format(2.5)))["revision"]
        types = await known(there, revision)
        refused = types["orders-1"].pop("RDS")
        assert refused["refused"] == WHY
        assert refused["acknowledged"] == before != refused["desired"], "the last good counts"
        assert is_in_step(types["orders-1"]) and is_in_step(types["orders-2"])

        shown = await asyncio.to_thread(screen, there, "status", "--wait", "5")
        assert shown.returncode == 1, shown.stderr
        assert TOLD in shown.stdout.splitlines()
        (row,) = [line.split() for line in shown.stdout.splitlines() if line[:8] == "orders-1"][:1]
        assert row[-1] == f"{before[:6]}/{refused['desired'][:6]}!"

        # said again, to the letter or with another service's number: nothing that is refused
        one.heard.clear()
        await there.apply(LATER.format(2.5) + "# a comment\n")
        other_number = LATER.format(2.5).replace("is_edge", "settle_s = 2.5\nis_edge")
        revision = (await there.apply(other_number))["revision"]
        await known(there, revision)
        assert one.heard.count(RDS) == 1, "inbound has changed; outbound is not said again"

        one.refuses = set()
        revision = (await there.apply(LATER.format(2.75)))["revision"]
        types = await known(there, revision)
        assert is_in_step(types["orders-1"]) and is_in_step(types["orders-2"])

    run(test, mode, tmp_path)


def run(test, mode, folder) -> None:
    async def whole():
        async with (
            pilot(folder) as there,
            standing(there, "orders-1", mode) as one,
            standing(there, "orders-2", Mode.DELTA) as other,
        ):
            await test(there, one, other)

    asyncio.run(asyncio.wait_for(whole(), 60))
