"""One stream after another, until somebody ends it: at whatever moment that is."""

import asyncio
from random import Random

import pytest

from era6_control_plane.streams import Complaints, Streams

PATIENCE_S = 5.0


@pytest.mark.parametrize("turns", range(8))
def test_whoever_ends_it_as_a_stream_ends_is_obeyed(turns):
    """turns: of the loop, between the end of the stream and the cancellation."""

    async def scenario() -> None:
        begun = 0

        async def begin() -> None:
            nonlocal begun
            begun += 1
            later(turns)

        def later(left: int) -> None:
            if left:
                asyncio.get_running_loop().call_soon(later, left - 1)
            else:
                running.cancel()

        streams = Streams("pilot", begin, Random(7), Complaints(lambda line: None))
        running = asyncio.create_task(streams.run())
        ended, _ = await asyncio.wait([running], timeout=PATIENCE_S)
        assert ended, "it goes on"
        assert running.cancelled()
        assert begun == 1

    asyncio.run(scenario())


def test_a_stream_that_ends_is_begun_again_and_why_is_said_once():
    async def scenario() -> list[str]:
        said: list[str] = []
        begun = asyncio.Semaphore(0)

        async def begin() -> None:
            begun.release()

        running = asyncio.create_task(
            Streams("pilot", begin, Random(7), Complaints(said.append)).run()
        )
        for _ in range(3):
            await begun.acquire()
        running.cancel()
        return said

    assert asyncio.run(scenario()) == ["pilot: it ended the stream"]
