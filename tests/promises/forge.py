"""Packets that orders never sent, made from one that it did: as a person in the middle would."""

from scapy.layers.inet import IP, TCP, UDP
from scapy.packet import Packet

from era1_raw_network import codec

WRAP = 1 << 32
METHODS = (b"GET ", b"PUT ", b"DELETE ")  # so a request over HTTP begins


def next_request(
    seen: list[bytes],
    scheme: str,
    is_ip: bool,
    swap: tuple[bytes, bytes],
    guess: int | None = None,
    port: int = 0,
) -> bytes:
    """What orders would send next if it repeated its last request for another order.

    seen: the frames of orders so far. scheme: what they carry, as in the era's addresses. is_ip:
    whether they begin with an IP header. swap: (bytes in the request, others of the same length).
    guess: for one who cannot read the frames, instead of the next sequence number (TCP) or of the
    connection (era 1). port: where inventory listens; if nobody can read what goes there, it is
    repeated as it is.
    """
    readable = [frame for frame in seen if swap[0] in frame]
    frame = readable[-1] if readable else _last_to(port, seen)
    if not is_ip:
        return _segment(frame, swap, guess) if codec.decode(frame) else frame.replace(*swap)
    packet = IP(frame)
    if scheme == "ip":
        _refill(packet, _segment(bytes(packet.payload), swap, guess))
    elif scheme == "udp":
        _refill(packet[UDP], bytes(packet[UDP].payload).replace(*swap))
        packet[UDP].chksum = 0  # none, as era 0 sends it
    else:
        packet = _on_the_same_connection(packet, seen, swap, guess)
    del packet.chksum, packet.len
    return bytes(packet)


def _on_the_same_connection(
    first: Packet, seen: list[bytes], swap: tuple[bytes, bytes], guess: int | None
) -> Packet:
    """The request that begins in `first`, and whatever followed of it, in one segment more; behind
    whatever else was sent since, as on a busy machine a later one.
    """
    ports = (first[TCP].sport, first[TCP].dport)
    packets = [packet for packet in map(IP, seen) if TCP in packet]
    ours = [packet for packet in packets if (packet[TCP].sport, packet[TCP].dport) == ports]
    pieces = {packet[TCP].seq: _content(packet) for packet in ours if _content(packet)}
    request, at, is_whole = b"", first[TCP].seq, False
    while at in pieces:
        is_whole = is_whole or (request != b"" and pieces[at].startswith(METHODS))
        if not is_whole:
            request += pieces[at]
        at = (at + len(pieces[at])) % WRAP
    forged = ours[-1].copy()  # whose ACK number is the latest
    forged[TCP].seq = at if guess is None else guess
    forged[TCP].flags = "PA"
    _refill(forged[TCP], request.replace(*swap))
    del forged[TCP].chksum
    return forged


def _last_to(port: int, seen: list[bytes]) -> bytes:
    """The last frame that carries something there."""
    packets = ((frame, IP(frame)) for frame in seen)
    return [
        frame
        for frame, packet in packets
        if TCP in packet and packet[TCP].dport == port and _content(packet)
    ][-1]


def _content(packet: Packet) -> bytes:
    """What a segment carries, without what Ethernet pads."""
    header_bytes = (packet.ihl + packet[TCP].dataofs) * 4
    return bytes(packet[TCP].payload)[: packet.len - header_bytes]


def _refill(layer: Packet, body: bytes) -> None:
    layer.remove_payload()
    layer.add_payload(body)


def _segment(frame: bytes, swap: tuple[bytes, bytes], guess: int | None) -> bytes:
    """Era 1's: the next number in the same connection, or the same number in a guessed one."""
    seen = codec.decode(frame)
    assert seen, "a sound segment was captured"
    forged = seen._replace(
        connection=seen.connection if guess is None else guess,
        seq=seen.seq + 1,
        packet=seen.packet + 1,
        payload=seen.payload.replace(*swap),
    )
    return codec.encode(*forged)
