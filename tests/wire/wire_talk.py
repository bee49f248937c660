"""One end of a conversation over UDP, run as a process: inside a host, or on loopback.

    wire_talk.py listen HOST:PORT     print the port, echo every datagram until stdin ends
    wire_talk.py speak HOST:PORT      read from stdin what to say, say it, collect the echoes

Both print what came: a JSON list of [monotonic time, hex of the datagram]. The UDP checksum is off
(SO_NO_CHECK), so that a datagram spoilt by the wire arrives spoilt.
"""

import json
import select
import socket
import sys
import time

SO_NO_CHECK = 11  # asm-generic/socket.h
SILENCE_S = 0.5  # the speaker expects no more echoes after that
LAST_S = 0.05  # the listener waits this long for the last frames


def open_socket():
    opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    if sys.platform == "linux":
        opened.setsockopt(socket.SOL_SOCKET, SO_NO_CHECK, 1)
    return opened


def listen(address):
    with open_socket() as server:
        server.bind(address)
        print(server.getsockname()[1], flush=True)
        came, watched, patience_s = [], [server, sys.stdin], None
        while readable := select.select(watched, [], [], patience_s)[0]:
            if server in readable:
                frame, source = server.recvfrom(65536)
                came.append([time.monotonic(), frame.hex()])
                server.sendto(frame, source)
            elif sys.stdin in readable:  # it has ended: take what is still under way
                watched, patience_s = [server], LAST_S
        return came


def speak(address):
    wish = json.load(sys.stdin)
    with open_socket() as client:
        client.connect(address)
        sent, came = [], []
        for frame in wish["frames"]:
            due_at = (sent[-1] if sent else 0) + wish["gap_s"]
            while (left := due_at - time.monotonic()) > 0:
                receive(client, came, left)
            sent.append(time.monotonic())
            client.send(bytes.fromhex(frame))
        while len(came) < wish["echoes"] and receive(client, came, SILENCE_S):
            pass
        return {"sent": sent, "came": came}


def receive(client, came, patience_s):
    if not select.select([client], [], [], patience_s)[0]:
        return False
    came.append([time.monotonic(), client.recv(65536).hex()])
    return True


if __name__ == "__main__":
    host, _, port = sys.argv[2].partition(":")
    role = {"listen": listen, "speak": speak}[sys.argv[1]]
    print(json.dumps(role((host, int(port)))))
