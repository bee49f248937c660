"""What carries the packets: raw IP where the machine allows it, UDP datagrams where it does not.

`ip://10.7.0.2` is a raw socket: our packet is the payload of an IP packet with protocol number 253
and the kernel adds nothing but the address. `udp://127.0.0.1:4000` carries the same bytes inside a
datagram, for machines that give no raw sockets; UDP's own checksum and ports then add a little that
era 1 does not rely on.
"""

import contextlib
import socket
import sys
from urllib.parse import urlsplit

from era1_raw_network.endpoint import Peer

PROTOCOL = 253  # RFC 3692: for experiments; `packet.py` argues for it
LARGEST_FRAME_BYTES = 9216  # a jumbo frame; what is longer arrives cut and so is dropped
SOCKET_BUFFER_BYTES = 8 << 20  # asked for; the kernel gives what its limits allow
IP_MTU_DISCOVER, IP_PMTUDISC_PROBE = 10, 3  # linux/in.h: we find the path's limit ourselves


class Carrier:
    """A socket that moves packets. `port` 0 means any free one; raw IP has none.

    Raises ValueError for an address that is not one, OSError where the socket cannot be had.
    """

    def __init__(self, address: str, listening: bool) -> None:
        scheme, host, port = parse(address)
        self.raw = scheme == "ip"
        self.soft_errors = 0  # ICMP reports: anybody can send one, so they end nothing
        self._socket = _open(self.raw)
        if sys.platform == "linux":
            self._socket.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE)
        for buffer in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            with contextlib.suppress(OSError):  # Linux gives less, macOS refuses
                self._socket.setsockopt(socket.SOL_SOCKET, buffer, SOCKET_BUFFER_BYTES)
        self._socket.setblocking(False)
        self.peer: Peer = (host, port)
        self._connected = not listening
        try:
            if listening:
                self._socket.bind((host, port))
            else:
                self.peer = (socket.gethostbyname(host), port)  # as its packets will name it
                self._socket.connect(self.peer)  # the kernel then looks the route up only once
        except OSError as error:
            self._socket.close()
            raise OSError(error.errno, f"{address}: {error.strerror}") from error
        except UnicodeError as error:
            self._socket.close()
            raise ValueError(f"{address}: {host!r} is not the name of a host") from error

    @property
    def url(self) -> str:
        """The address as others can use it, the port filled in."""
        host, port = self._socket.getsockname()[:2]
        return f"ip://{host}" if self.raw else f"udp://{host}:{port}"

    def fileno(self) -> int:
        """For `select`."""
        return self._socket.fileno()

    def send(self, packet: bytes, peer: Peer) -> None:
        """Give one packet to the medium. What it cannot take is lost, like anything on a wire."""
        try:
            if self._connected:
                self._socket.send(packet)
            else:
                self._socket.sendto(packet, peer)
        except OSError:
            self.soft_errors += 1

    def receive(self) -> tuple[bytes, int, Peer] | None:
        """A frame, where in it our packet begins, and who sent it; None when there is none now."""
        while True:
            try:
                if self._connected:
                    frame, peer = self._socket.recv(LARGEST_FRAME_BYTES), self.peer
                else:
                    frame, peer = self._socket.recvfrom(LARGEST_FRAME_BYTES)
            except BlockingIOError:
                return None
            except OSError:
                self.soft_errors += 1
                continue
            if not self.raw:
                return frame, 0, peer
            return frame, (frame[0] & 15) * 4 if frame else 0, peer

    def close(self) -> None:
        """Give the socket back."""
        self._socket.close()


def parse(address: str) -> tuple[str, str, int]:
    """Scheme, host and port of `ip://host` or `udp://host:port`; ValueError for anything else."""
    accepted = "accepted are ip://HOST and udp://HOST:PORT, the port 0 to 65535"
    try:
        url = urlsplit(address)
        scheme, host, port = url.scheme, url.hostname, url.port
    except ValueError as error:
        raise ValueError(f"address {address!r}: {error}; {accepted}") from error
    if scheme == "ip" and host and port is None:
        return scheme, host, 0
    if scheme == "udp" and host and port is not None:
        return scheme, host, port
    raise ValueError(f"address {address!r} is not one of era 1; {accepted}")


def _open(raw: bool) -> socket.socket:
    if not raw:
        return socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        return socket.socket(socket.AF_INET, socket.SOCK_RAW, PROTOCOL)
    except PermissionError as error:
        raise PermissionError(
            error.errno,
            "raw sockets need CAP_NET_RAW: start the era inside the lab's own network "
            "(`eras up 1 --wire real`), or use a udp:// address",
        ) from error
