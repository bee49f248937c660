"""The packet: one definition, three readers (scapy, the fast path, Wireshark) that must agree."""

import shutil
import subprocess
import tracemalloc
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import IP
from scapy.utils import PcapReader

import era1_raw_network
from era1_raw_network import carrier, codec, dissector
from era1_raw_network.codec import DATA, END, decode, encode
from era1_raw_network.packet import KINDS, PROTOCOL, Segment, field_bits, summary
from lab.pcap import Capture
from lab.wire import Knobs
from tests.era1.timeline import pair

SIZES = {8: "B", 16: "H", 32: "I"}
bits = {name: st.integers(0, 2**width - 1) for name, width in field_bits()}
headers = st.fixed_dictionaries(
    {name: bits[name] for name in bits if name not in ("version", "kind", "length", "checksum")}
    | {"kind": st.sampled_from(sorted(KINDS))}
)
SAMPLE = encode(DATA, END, 100, 3, 0xDEADBEEF, 1, 2, 3, 4, b"some payload")


def test_the_fast_path_s_format_follows_from_the_definition():
    formats, pending = "", 0
    for _, width in field_bits():
        pending += width
        if pending in SIZES:
            formats += SIZES[pending]
            pending = 0
    assert "!" + formats == codec.HEADER.format
    assert codec.HEADER.size * 8 == sum(width for _, width in field_bits())


def test_the_fast_path_s_names_follow_from_the_definition():
    names = [name for name, _ in field_bits()]
    carried = [name for name in names if name not in ("version", "length", "checksum")]
    assert [*carried, "payload"] == list(codec.Segment._fields)
    assert sorted(KINDS) == list(range(codec.SYN, codec.PART + 1))


@given(headers, st.binary(max_size=200))
def test_scapy_and_the_fast_path_build_the_same_bytes(header, payload):
    assert bytes(Segment(**header) / payload) == encode(**header, payload=payload)


@given(headers, st.binary(max_size=200))
def test_scapy_and_the_fast_path_read_the_same_fields(header, payload):
    frame = encode(**header, payload=payload)
    fast, slow = decode(frame), Segment(frame)
    for name, value in header.items():
        assert getattr(fast, name) == int(getattr(slow, name)) == value
    assert fast.payload == bytes(slow.payload) == payload


def test_the_carrier_uses_the_protocol_number_of_the_definition():
    assert carrier.PROTOCOL == PROTOCOL


def test_a_packet_is_found_behind_an_ip_header():
    frame = bytes(IP(src="10.7.0.1", dst="10.7.0.2", proto=PROTOCOL) / Segment(seq=9) / b"x")
    assert IP(frame)[Segment].seq == 9
    assert decode(frame, 20).seq == 9


@pytest.mark.parametrize("bit", range(len(SAMPLE) * 8))
def test_any_single_flipped_bit_is_noticed(bit):
    damaged = bytearray(SAMPLE)
    damaged[bit // 8] ^= 1 << bit % 8
    assert decode(bytes(damaged)) is None


def test_a_stream_with_every_bit_of_a_packet_damaged_in_turn_stays_whole():
    virtual, speaker, listener = pair()
    virtual.run(0.1)
    for bit in range(len(SAMPLE) * 8):
        damaged = bytearray(SAMPLE)
        damaged[bit // 8] ^= 1 << bit % 8
        listener.receive(bytes(damaged), 0.1)
    assert listener.connection.counts["malformed"] == len(SAMPLE) * 8
    speaker.connection.send(b"whole")
    assert virtual.run(1.0, lambda: listener.heard == [b"whole"])


@pytest.mark.parametrize("length", range(len(SAMPLE)))
def test_a_packet_cut_short_anywhere_is_dropped(length):
    assert decode(SAMPLE[:length]) is None
    assert decode(b"x" * 20 + SAMPLE[:length], 20) is None


@pytest.mark.parametrize("claimed", [0, 1, 11, 13, 0xFFFF])
def test_a_wrong_length_is_dropped_even_with_a_right_checksum(claimed):
    assert decode(bytes(Segment(length=claimed, kind=DATA) / b"some payload")) is None


def test_what_follows_a_packet_makes_it_unsound():
    assert decode(SAMPLE) and decode(SAMPLE + b"\0") is None


@pytest.mark.parametrize(("version", "kind"), [(0, DATA), (2, DATA), (15, DATA), (1, 0), (1, 8)])
def test_another_version_or_an_unknown_kind_is_dropped(version, kind):
    assert decode(bytes(Segment(version=version, kind=kind) / b"x")) is None


def test_a_hundred_thousand_fuzzed_frames_raise_nothing_and_cost_no_memory(seed):
    """Random bytes, damaged, cut, lengthened and spliced packets, thrown at a living connection."""
    random = Random(seed)
    virtual, speaker, listener = pair()
    virtual.run(0.1)
    connection, identity = listener.connection, listener.connection.identity
    sound = [encode(DATA, END, 9, 0, identity, n, n, n, n, b"x" * n) for n in range(40)]

    def spoil(frame):
        damaged = bytearray(frame)
        for _ in range(random.randrange(1, 4)):
            damaged[random.randrange(len(damaged))] ^= random.randrange(1, 256)
        return bytes(damaged)

    mutations = (
        lambda: random.randbytes(random.randrange(120)),
        lambda: spoil(random.choice(sound)),
        lambda: random.choice(sound)[: random.randrange(72)],
        lambda: random.choice(sound) + random.randbytes(random.randrange(1, 9)),
        lambda: random.choice(sound)[: random.randrange(32)] + random.choice(sound),
    )
    before = dict(connection.counts)
    tracemalloc.start()
    for n in range(100_000):
        connection.receive(mutations[n % 5](), 0.1 + n * 1e-6)
    bytes_grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    dropped = connection.counts["malformed"] - before["malformed"]
    assert dropped > 90_000  # the others were cut where they ended anyway
    assert bytes_grown < 1 << 20
    speaker.connection.send(b"unharmed")
    assert virtual.run(2.0, lambda: listener.heard[-1:] == [b"unharmed"])


# --- what a reader of traces sees


def test_an_acknowledgement_answers_what_it_covers():
    data = Segment(kind=DATA, connection=7, seq=10, packet=3)
    assert Segment(kind=codec.ACK, connection=7, ack=11).answers(data)
    assert Segment(kind=codec.ACK, connection=7, ack=5, echo=3).answers(data)  # selectively
    assert not Segment(kind=codec.ACK, connection=7, ack=10, echo=2).answers(data)
    assert not Segment(kind=codec.ACK, connection=8, ack=11).answers(data)
    assert not Segment(kind=codec.ACK, connection=7, ack=11).answers(IP())


def test_an_acknowledgement_answers_across_the_wrap():
    data = Segment(kind=DATA, connection=7, seq=2**32 - 1, packet=3)
    assert Segment(kind=codec.ACK, connection=7, ack=0).answers(data)
    assert not Segment(kind=codec.ACK, connection=7, ack=2**32 - 1).answers(data)


@pytest.mark.parametrize("kind", [codec.SYNACK, codec.RST])
def test_a_call_is_answered_by_a_synack_or_a_reset_that_names_it(kind):
    call = Segment(kind=codec.SYN, connection=7, seq=2**32 - 1)
    assert Segment(kind=kind, connection=7, ack=0).answers(call)
    assert not Segment(kind=kind, connection=7, ack=1).answers(call)
    assert not Segment(kind=codec.ACK, connection=7, ack=0).answers(call)


@pytest.mark.parametrize(
    ("segment", "line"),
    [
        (Segment(kind=codec.SYN, seq=5, window=9), "SYN seq=5 ack=0 window=9"),
        (Segment(kind=DATA, flags="END", seq=5, packet=6, ack=7), "DATA END seq=5 packet=6 ack=7"),
        (Segment(kind=codec.ACK, ack=7, window=9), "ACK ack=7 window=9"),
        (Segment(kind=codec.ACK, ack=7, window=9) / b"\x06", "ACK ack=7 window=9 +2 beyond"),
    ],
)
def test_a_trace_line_says_it_in_words(segment, line):
    assert summary(bytes(segment)) == line
    assert summary(bytes(IP(proto=PROTOCOL) / segment)) == line


@given(st.binary(max_size=100))
def test_a_trace_line_can_be_made_of_anything(frame):
    assert isinstance(summary(frame), str)


# --- Wireshark


def test_the_committed_dissector_is_the_derived_one():
    committed = Path(era1_raw_network.__file__).with_name("era1.lua").read_text()
    assert committed == dissector.lua()


@pytest.fixture(scope="module")
def tshark():
    found = shutil.which("tshark")
    if not found:
        pytest.skip("tshark is not installed (Debian: apt-get install tshark)")
    return found


def recorded(path, seed, link):
    """A conversation on a bad wire, captured: [the frames of era 1]."""
    virtual, speaker, listener = pair(
        Knobs(loss=0.1, duplicate=0.05, reorder=0.05, delay_s=0.02), seed=seed
    )
    capture = Capture(path, link=link, starts_at=0.0)
    frames = []

    class Witness:
        delivered = staticmethod(capture.delivered)

        @staticmethod
        def entered(now, port, number, frame, fate, copies):
            frames.append(frame)
            whole = in_ip(port, frame) if link == "ip" else frame
            capture.entered(now, port, number, whole, fate, copies)

    virtual.wire.witness = Witness
    for talker in (speaker, listener):
        talker.connection.send(b"hello " * 3000)
    assert virtual.run(10.0, lambda: bool(speaker.heard and listener.heard))
    for talker in (speaker, listener):
        talker.connection.close(virtual.now)
    virtual.run(virtual.now + 5)
    capture.close()
    return frames


def in_ip(port, frame):
    ends = ("10.7.0.1", "10.7.0.2")
    return bytes(IP(src=ends[port], dst=ends[1 - port], proto=PROTOCOL) / frame)


@pytest.mark.parametrize("link", ["ip", "udp"])
def test_tshark_scapy_and_the_fast_path_read_a_recorded_trace_alike(tshark, tmp_path, seed, link):
    path = tmp_path / "trace.pcapng"
    frames = recorded(path, seed, link)
    assert len(frames) > 25
    names = [name for name, _ in field_bits()]
    script = Path(era1_raw_network.__file__).with_name("era1.lua")
    command = [
        tshark,
        "-r",
        path,
        "-X",
        f"lua_script:{script}",
        "-T",
        "fields",
        "-E",
        "separator=;",
    ]
    command += [part for name in names for part in ("-e", f"era1.{name}")]
    command += ["-e", "era1.payload", "-e", "_ws.col.Protocol"]
    if link == "udp":
        command += ["-d", "udp.port==7001,era1"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    rows = [line.split(";") for line in run.stdout.splitlines()]
    assert len(rows) == len(frames)
    for row, frame in zip(rows, frames, strict=True):
        slow, fast = Segment(frame), decode(frame)
        seen = {name: int(value, 0) for name, value in zip(names, row, strict=False)}
        assert row[-1] == "era1"
        assert seen == {name: int(getattr(slow, name)) for name in names}
        assert {name: seen[name] for name in seen if hasattr(fast, name)} == {
            name: getattr(fast, name) for name in seen if hasattr(fast, name)
        }
        assert bytes.fromhex(row[-2].replace(":", "")) == fast.payload == bytes(slow.payload)


def test_scapy_reads_the_capture_by_itself(tmp_path, seed):
    path = tmp_path / "trace.pcapng"
    frames = recorded(path, seed, "ip")
    with PcapReader(str(path)) as reader:
        segments = [packet[Segment] for packet in reader]
    assert [bytes(segment) for segment in segments] == frames
