"""A ladder shows what the trace says: who sent what when, what the wire did to it, what is cut."""

import pytest

from lab.drawing import NARROWEST, draw
from lab.ladder import Row, elide, lanes_of, rows
from lab.trace import Event


def label(event: Event) -> str:
    return event.head.decode()


def frame(t: float, what: str, number: int, there: bool = True, note: str = "") -> Event:
    ends = ("orders", "inventory") if there else ("inventory", "orders")
    return Event(t, "wire", what, *ends, number, 10, note, f"frame {number}".encode())


def lines(events: list[Event], width: int = 80, ascii_only: bool = False) -> list[str]:
    return [text for text, _ in draw(rows(events, label), width, ascii_only)]


def test_a_frame_that_arrives_has_both_times_and_points_to_its_receiver():
    events = [frame(5.0, "send", 1), frame(5.01, "deliver", 1)]
    events += [frame(5.02, "send", 1, False), frame(5.031, "deliver", 1, False)]
    there, back = lines(events)[1:3]
    assert there.split() == ["0.0", "┠─", "frame", "1", there.split()[4], "10.0"]
    assert there.rstrip().removesuffix("10.0").rstrip().endswith("▶┃")
    assert back.lstrip().startswith("20.0  ┃◀")
    assert "frame 1 ─┨     31.0" in back


def test_a_lost_frame_ends_on_the_way_with_the_reason_and_no_arrival():
    told = lines([frame(0, "send", 1), frame(0, "drop", 1, note="lost")])[1]
    assert "✗ lost" in told
    assert "▶" not in told
    told = lines([frame(0, "send", 1, False), frame(0, "drop", 1, False, note="the wire is cut")])
    assert "the wire is cut ✗──── frame 1 ─┨" in told[1]


def test_a_copy_is_a_line_of_its_own_that_nobody_sent():
    events = [frame(0, "send", 1), frame(0, "duplicate", 1, note="arrives twice")]
    events += [frame(0.01, "deliver", 1), frame(0.02, "deliver", 1)]
    first, copy = lines(events)[1:3]
    assert "arrives twice" in first
    assert "a copy" in copy
    assert copy.startswith("          ┠")
    assert copy.endswith("20.0")


def test_what_the_wire_flipped_is_told_on_the_arrow():
    events = [frame(0, "send", 1), frame(0, "corrupt", 1, note="bit 3 of byte 17 flipped")]
    told = draw(rows([*events, frame(0.01, "deliver", 1)], label))[1]
    assert "bit 3 of byte 17 flipped" in told[0]
    assert told[1] == "magenta"


def test_services_say_what_the_frames_are_about():
    events = [
        Event(0, "orders", "call", "customer", "orders", "o-1", note="place o-1 sku-0001 2"),
        Event(1, "inventory", "note", "inventory", "inventory", "o-1", note="reserved"),
        Event(2, "orders", "answer", "orders", "customer", "o-1", note="placed"),
        Event(3, "customer", "note", "customer", "customer", note="no answer within 2 s"),
    ]
    told = lines(events)
    assert "┃ a customer asks: place o-1 sku-0001 2" in told[1]
    assert told[2].endswith("reserved ┃")
    assert "┃ tells the customer: placed" in told[3]
    assert "┃ customer: no answer within 2 s" in told[4]


@pytest.mark.parametrize("width", [NARROWEST, 80, 120])
@pytest.mark.parametrize("words", ["short", "many words " * 30])
@pytest.mark.parametrize("note", ["", "lost", "no room in 3000 bytes"])
@pytest.mark.parametrize("there", [True, False])
def test_no_line_is_wider_than_the_terminal(width, words, note, there):
    ends = ("orders", "inventory") if there else ("inventory", "orders")
    send = Event(0, "wire", "send", *ends, 1, 10, "", words.encode())
    events = [send, frame(0, "drop", 1, there, note)] if note else [send]
    events.append(Event(1, "inventory", "note", "inventory", "inventory", note=words))
    told = lines(events, width)
    assert max(map(len, told)) <= width
    assert {max(line.rfind("┃"), line.rfind("┨")) for line in told[1:-1]} == {width - 11}
    in_ascii = lines(events, width, ascii_only=True)
    assert all(line.isascii() for line in in_ascii)
    assert list(map(len, in_ascii)) == list(map(len, told))


def test_a_long_trace_is_cut_and_says_what_is_missing():
    events = [event for n in range(300) for event in (frame(n, "send", n), sent_on(n))]
    cut = elide(rows(events, label), most=30)
    assert len(cut) == 31
    (missing,) = [row for row in cut if row.what == "elided"]
    assert missing.text == "… 270 more packets (270 →, 0 ←, 27 lost) …"


def sent_on(n: int) -> Event:
    return frame(n, "drop", n, note="lost") if n % 10 == 5 else frame(n + 0.01, "deliver", n)


def test_what_the_services_said_is_never_cut():
    between = Row(100.0, "orders", "", "hears", "answer")
    packets = [Row(float(n), "orders", "inventory", f"{n}", "deliver") for n in range(200)]
    cut = elide([*packets[:100], between, *packets[100:]], most=30)
    assert between in cut
    assert sum(int(row.text.split()[1]) for row in cut if row.what == "elided") == 170 + 1 - 1


def test_a_short_trace_is_shown_whole():
    packets = [Row(float(n), "orders", "inventory", f"{n}", "deliver") for n in range(30)]
    assert elide(packets, most=30) == packets


def test_remarks_without_end_are_counted_too():
    said = [Row(float(n), "orders", "", "hears", "answer") for n in range(100)]
    cut = elide(said, most=30)
    assert len(cut) == 31
    (missing,) = [row for row in cut if row.what == "elided"]
    assert missing.text == "… 0 more packets (0 →, 0 ←), 70 remarks …"


MANY = ("orders", "inventory-1", "inventory-2", "inventory-3", "registry")


def between(source: str, target: str, t: float = 0.0) -> list[Event]:
    return [
        Event(t, "wire", "send", source, target, 1, 10, head=b"PUT"),
        Event(t + 0.01, "wire", "deliver", source, target, 1, 10, head=b"PUT"),
    ]


def drawn(events: list[Event], lanes=MANY, width: int = 80) -> list[str]:
    made = rows(events, label, lanes)
    return [text for text, _ in draw(made, width, lanes=lanes)]


def test_an_arrow_crosses_lanes_to_its_own():
    head, there, back, _ = drawn(
        between("orders", "inventory-2") + between("inventory-3", "orders", 1)
    )
    assert head.split() == ["sent", "orders", "inventory-1", "-2", "-3", "registry", "arrived"]
    assert there.rstrip().endswith("─╂──▶┃   ┃        ┃     10.0")
    assert back.rstrip().endswith("─ PUT ─╂───╂───┨        ┃   1010.0")


def test_a_lost_frame_reaches_no_lane():
    lost = Event(0, "wire", "drop", "orders", "inventory-3", 1, 10, "lost")
    line = drawn([between("orders", "inventory-3")[0], lost])[1]
    assert "✗ lost" in line
    assert line.endswith("┃   ┃   ┃        ┃")


def test_of_many_instances_each_remark_has_its_name():
    event = Event(0, "inventory-2", "note", "inventory-2", "inventory-2", note="reserved")
    assert " inventory-2: reserved ┃   ┃" in drawn([event])[1]


@pytest.mark.parametrize("width", [40, NARROWEST, 80, 120])
@pytest.mark.parametrize("lanes", [MANY, MANY[:3], ("orders", "inventory-1", "a-name", "b")])
@pytest.mark.parametrize("words", ["short", "many words " * 30])
def test_lanes_stand_straight_whoever_speaks(width, lanes, words):
    events = [Event(0, one, "note", one, one, note=words) for one in (*lanes, "customer")]
    for other in lanes[1:]:
        events += between("orders", other) + between(other, "orders")
        events += [between("orders", other)[0], Event(0, "wire", "drop", "orders", other, 1)]
    told = drawn(events, lanes, width)[1:-1]
    ends = {max(map(line.rfind, "┃┨")) for line in told}
    assert len(ends) == 1
    assert max(map(len, told)) <= max(width, ends.pop() + 11)


def test_lanes_are_the_instances_and_whoever_a_frame_touched():
    events = between("orders", "registry", 1.0) + between("orders", "inventory-1", 2.0)
    assert lanes_of(events, ["inventory-1"]) == ("orders", "inventory-1", "registry")
    assert lanes_of(events, ["inventory-1"], since=1.5) == ("orders", "inventory-1")


def test_what_was_before_the_beginning_is_told_to_labels_only():
    told = []
    made = rows(
        between("orders", "inventory-1", 1.0) + between("orders", "inventory-1", 2.0),
        lambda event: told.append(event.t) or "x",
        MANY,
        since=1.5,
    )
    assert told == [1.0, 2.0]
    assert [round(row.at, 3) for row in made] == [0.5]
