"""Words of others in our log: they begin no line, reach no terminal, and fill no disk."""

from era6_control_plane.voice import AT_ONCE, MOST_A_SECOND, MOST_LETTERS, Voice
from tests.era6.join_server import Clock


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
