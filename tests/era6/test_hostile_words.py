"""Words of others in our log: they begin no line, reach no terminal, and fill no disk."""

import asyncio

from era6_control_plane.voice import AT_ONCE, MOST_A_SECOND, MOST_LETTERS, Voice
from tests.era6.join_server import Clock
from tests.era6.pilot_process import pilot


def voice():
    said, clock = [], Clock(100.0)
    return Voice(said.append, clock).say, said, clock


def test_a_refusal_cannot_forge_a_line_or_speak_to_the_terminal():
    say, said, _ = voice()
    say("orders-1 refuses CDS: no\npilot: revision 9 by root\r\x1b[2J\u2028\u202e\x00")
    assert said == ["orders-1 refuses CDS: no?pilot: revision 9 by root??[2J???"]


def test_a_line_has_an_end():
    say, said, _ = voice()
    say("x" * 100_000)
    assert len(said[0]) == MOST_LETTERS and said[0].endswith("…")


def test_a_flood_is_counted_and_not_written_down():
    say, said, clock = voice()
    for _ in range(10_000):
        say("refused")
    assert len(said) == AT_ONCE
    clock.now += 1.0
    for _ in range(MOST_A_SECOND + 5):
        say("refused again")
    assert said[AT_ONCE].startswith(f"{10_000 - AT_ONCE} lines are left out")
    assert len(said) == AT_ONCE + 1 + MOST_A_SECOND


def test_strangers_who_fail_to_shake_hands_leave_no_lines_of_others_in_the_log(tmp_path):
    async def test():
        async with pilot(tmp_path) as there:
            port = int(there.at["nodes"].rpartition(":")[2])
            for _ in range(3):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(b"GET / HTTP/1.0\r\n\r\n")
                await reader.read()
                writer.close()
            assert await there.stop() == 0, there.said
            assert not [line for line in there.said if ".cc:" in line]

    asyncio.run(asyncio.wait_for(test(), 60))
