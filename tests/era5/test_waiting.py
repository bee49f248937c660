"""How coroutines wait: in a Place, for a Future, until a deadline that a sweep notices."""

import asyncio
from collections import deque

import pytest

from era5_sidecar.connection import NEVER, Connection, Sweep
from era5_sidecar.waiting import Place, TooLate, resume
from tests.era5.wires import Wire


def test_who_waits_is_resumed_on_the_spot_as_often_as_there_is_something():
    place, seen = Place(), []

    async def work() -> None:
        for number in range(3):
            await place.wait()
            seen.append(number)

    place.wake()  # nobody waits: nothing happens, and nothing is remembered
    resume(work())
    for number in range(4):
        assert len(seen) == min(number, 3)
        place.wake()
    assert place.waiting is None


def test_an_error_is_raised_where_it_waits():
    place, seen = Place(), []

    async def work() -> None:
        try:
            await place.wait()
        except TooLate:
            seen.append("late")
        await place.wait()
        seen.append("and on")

    resume(work())
    place.wake(TooLate())
    place.wake()
    assert seen == ["late", "and on"]


def test_it_may_wait_for_what_asyncio_knows_in_between():
    async def live() -> list[str]:
        place, seen = Place(), []

        async def work() -> None:
            await asyncio.sleep(0.001)
            seen.append("slept")
            await place.wait()
            seen.append("woken")

        resume(work())
        while place.waiting is None:
            await asyncio.sleep(0.001)
        place.wake()
        return seen

    assert asyncio.run(live()) == ["slept", "woken"]


def connected(sweep: Sweep) -> Connection:
    made = Connection(sweep, 100)
    made.connection_made(Wire(made, deque()))
    return made


def test_a_sweep_wakes_who_is_late_and_nobody_else_and_once():
    sweep, late = Sweep(), []
    connections = [connected(sweep) for _ in range(3)]

    async def work(each: Connection) -> None:
        while True:
            try:
                await each.more()
            except TooLate:
                late.append(each)

    for each, deadline in zip(connections, (1.0, 2.0, NEVER), strict=True):
        each.deadline = deadline
        resume(work(each))
    for now in (0.5, 1.5, 1.6):
        sweep.look(now)
    assert late == connections[:1]
    sweep.look(1e9)
    assert late == connections[:2]


def test_a_mistake_with_one_does_not_end_the_deadlines_of_the_others(capsys):
    sweep, late = Sweep(), []

    async def work(each: Connection) -> None:
        try:
            await each.more()
        except TooLate:
            late.append(each)
            raise ZeroDivisionError from None

    for _ in range(3):
        each = connected(sweep)
        each.deadline = 1.0
        resume(work(each))
    sweep.look(2.0)
    assert len(late) == 3
    assert capsys.readouterr().err.count("Traceback") == 3


def test_who_waits_to_write_is_told_there():
    sweep = Sweep()
    each, seen = connected(sweep), []

    async def work() -> None:
        each.pause_writing()
        try:
            await each.drained()
        except TooLate:
            seen.append("late")

    resume(work())
    each.deadline = 1.0
    sweep.look(2.0)
    assert seen == ["late"]


def test_one_that_was_closed_and_whose_peer_does_not_read_ends_all_the_same():
    sweep = Sweep()
    each = connected(sweep)
    each.transport.listen(False)
    each.write(b"x")
    each.close()
    assert not each.transport.is_gone
    assert each.deadline != NEVER
    sweep.look(each.deadline)
    assert each.transport.is_gone


def test_nobody_writes_to_who_has_gone():
    each = connected(Sweep())
    each.transport.leave()
    assert each.is_broken
    each.write(b"x")
    each.abort()
    each.close()


@pytest.mark.parametrize("reset", [False, True])
def test_an_end_is_told_from_a_break(reset):
    each = connected(Sweep())
    each.transport.leave() if reset else each.transport.end()
    assert (each.is_over, each.is_lost, each.is_broken) == (True, reset, reset)
