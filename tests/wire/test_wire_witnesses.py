"""What the wire tells: a trace for ladder diagrams, a capture for Wireshark, in every form."""

import contextlib
import json
import shutil
import subprocess
import time

import pytest
from scapy.layers.inet import IP, UDP
from scapy.utils import rdpcap

from lab.pcap import Capture
from lab.wire import Knobs, Wire
from lab.wire.process import WireProcess
from lab.wire.trace import TraceFile, Witnesses
from tests.wire.wire_forms import ProcessForm, numbered

FATES = ("drop", "duplicate", "corrupt", "delay:0.02", "deliver")
SCRIPT = Knobs(script=FATES, delay_s=0.005)
PERFECT = Knobs()
FRAME_BYTES = 200
KEYS = {"t", "process", "what", "from", "to", "id", "size", "note", "head"}


@pytest.fixture(scope="module", params=["virtual", "portable", "real"])
def witnessed(request, real_interfaces, tmp_path_factory, seed):
    """Five scripted frames in each form: (form, their events, the capture)."""
    form = request.param
    if form == "real":
        real_interfaces()
    folder = tmp_path_factory.mktemp("witnessed")
    trace, capture = folder / "wire.jsonl", folder / "wire.pcapng"
    if form == "virtual":
        speak_virtually(seed, trace, capture)
    else:
        start = WireProcess.real if form == "real" else WireProcess.portable
        with start(SCRIPT, back=PERFECT, seed=seed, trace_path=trace, pcap_path=capture) as wire:
            # Frames 1 to 4 are echoed, 1 twice; in form real the spoilt one may be refused.
            ProcessForm(form, wire).speak(len(FATES), size=FRAME_BYTES)
    return form, [json.loads(line) for line in trace.read_text().splitlines()], capture


def speak_virtually(seed, trace, capture):
    witnesses = TraceFile(trace), Capture(capture, link="raw", starts_at=0.0)
    wire = Wire(seed, SCRIPT, PERFECT, Witnesses(*witnesses))
    for number in range(len(FATES)):
        wire.push(number / 1000, 0, numbered(number, FRAME_BYTES))
    while (now := wire.next_time()) is not None:
        for port, frame in wire.pop_due(now):
            if port == 1:
                wire.push(now, 1, frame)


def there(events, what):
    return [event for event in events if event["what"] == what and event["from"] == "orders"]


def test_the_trace_follows_the_schema(witnessed):
    _, events, _ = witnessed
    assert events
    for event in events:
        assert set(event) == KEYS
        assert event["process"] == "wire"
        assert {event["from"], event["to"]} == {"orders", "inventory"}
        assert len(bytes.fromhex(event["head"])) == min(event["size"], 96)
    times = [event["t"] for event in events]
    assert times == sorted(times)


def test_the_trace_tells_what_became_of_each_frame(witnessed):
    _, events, _ = witnessed
    assert [event["id"] for event in there(events, "send")] == [0, 1, 2, 3, 4]
    assert [(event["id"], event["note"]) for event in there(events, "drop")] == [(0, "lost")]
    assert [event["id"] for event in there(events, "duplicate")] == [1]
    assert [event["id"] for event in there(events, "reorder")] == [3]
    ((spoilt, note),) = [(event["id"], event["note"]) for event in there(events, "corrupt")]
    assert spoilt == 2
    assert "flipped" in note
    delivered = [event["id"] for event in there(events, "deliver")]
    assert [number for number in delivered if number != 2] == [1, 1, 4, 3]


def test_every_delivery_was_sent_before(witnessed):
    _, events, _ = witnessed
    sent = {(event["from"], event["id"]): event["t"] for event in events if event["what"] == "send"}
    for event in events:
        if event["what"] == "deliver":
            assert event["t"] >= sent[event["from"], event["id"]]


def test_times_of_a_real_trace_are_those_of_the_monotonic_clock(witnessed):
    form, events, _ = witnessed
    if form != "virtual":
        assert 0 <= time.monotonic() - events[0]["t"] < 60


def test_tshark_reads_the_capture_with_its_comments(witnessed):
    if not shutil.which("tshark"):
        pytest.skip("tshark is not installed")
    form, events, capture = witnessed
    fields = ("frame.interface_name", "frame.comment", "frame.len")
    out = subprocess.run(
        ["tshark", "-r", capture, "-T", "fields", *(f"-e{name}" for name in fields)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    frames = [line.split("\t") for line in out.splitlines()]
    sent = [(comment, size) for name, comment, size in frames if name == "orders"]
    words = ("drop: lost", "duplicate: arrives twice", "corrupt: bit", "reorder: held", "after 5.0")
    for number, ((comment, size), word) in enumerate(zip(sent, words, strict=True)):
        assert comment.startswith(f"#{number} ")
        assert word in comment
        assert int(size) == FRAME_BYTES + (0 if form == "virtual" else 28)
    echoes = [name for name, _, _ in frames if name == "inventory"]
    assert len(echoes) == len([event for event in events if event["from"] == "inventory"]) / 2


def test_scapy_reads_the_capture(witnessed):
    form, _, capture = witnessed
    packets = [packet for packet in rdpcap(str(capture)) if packet.sniffed_on == "orders"]
    assert len(packets) == len(FATES)
    if form == "virtual":
        assert bytes(packets[0]) == numbered(0, FRAME_BYTES)
        return
    for number, packet in enumerate(packets):
        assert packet[IP].src == "10.7.0.1"
        assert packet[IP].dst == "10.7.0.2"
        assert bytes(packet[UDP].payload) == numbered(number, FRAME_BYTES)
        rebuilt = IP(bytes(packet))
        del rebuilt.chksum
        assert IP(bytes(rebuilt)).chksum == packet[IP].chksum


def test_a_killed_wire_leaves_whole_events_and_whole_packets(tmp_path, seed):
    trace, capture = tmp_path / "wire.jsonl", tmp_path / "wire.pcapng"
    with WireProcess.portable(PERFECT, seed=seed, trace_path=trace, pcap_path=capture) as wire:
        ProcessForm("portable", wire).speak(20, size=100, gap_s=0)
        wire._console._process.kill()
        wire._console._process.wait()
    events = [json.loads(line) for line in trace.read_text().splitlines()]
    assert len([event for event in events if event["what"] == "send"]) == 40
    assert len(rdpcap(str(capture))) == 40


def test_a_trace_is_appended_to_and_a_file_that_cannot_be_opened_is_named(tmp_path, seed):
    trace = tmp_path / "wire.jsonl"
    trace.write_text('{"from": "before"}\n')
    with WireProcess.portable(PERFECT, seed=seed, trace_path=trace) as wire:
        ProcessForm("portable", wire).speak(1, echoes=1)
    assert trace.read_text().startswith('{"from": "before"}\n{"t": ')


def test_virtual_time_writes_the_same_capture_twice(tmp_path, seed):
    captures = []
    for name in ("one", "two"):
        path = tmp_path / name
        with contextlib.closing(Capture(path, link="raw", starts_at=0.0)) as capture:
            wire = Wire(seed, Knobs(loss=0.3, corrupt=0.3, jitter_s=0.1), witness=capture)
            for n in range(50):
                wire.push(n / 10, n % 2, numbered(n, 40))
        captures.append(path.read_bytes())
    assert captures[0] == captures[1]
