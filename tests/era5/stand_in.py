"""A stand-in for the proxy, to be kept by a supervisor: says its pid at every address.

What it is to do wrong stands in the file `mood` beside its configuration: `never-ready`; `deaf`:
accepts nothing, but says that it lives; `die-N`: ends with exit code N at once. A byte in `asked`
is a connection that it took, one in `breaths` a word that it lives.
"""

import os
import select
import signal
import sys
import time
from pathlib import Path

from era5_sidecar import inheritance

config = Path(sys.argv[1])
mood = (config.parent / "mood").read_text() if (config.parent / "mood").exists() else ""
with (config.parent / "starts").open("a") as starts:
    starts.write(f"{os.getpid()} {os.environ.get('PYTHONPATH', '')}\n")
if mood.startswith("die-"):
    sys.exit(int(mood.removeprefix("die-")))
breaths, asked = ((config.parent / name).open("ab", 0) for name in ("breaths", "asked"))
sockets, notice = inheritance.listeners(), inheritance.Notice.from_environment()
told = []
for number in (signal.SIGTERM, signal.SIGUSR2, signal.SIGHUP):
    signal.signal(number, lambda number, frame: told.append(signal.Signals(number).name))
if mood != "never-ready":
    notice.ready()
while not {"SIGTERM", "SIGUSR2"} & {*told}:
    readable, _, _ = select.select([*sockets.values(), notice], [], [], 0.02)
    if mood == "deaf":
        notice.alive()
        breaths.write(b".")
        time.sleep(0.02)
        continue
    if notice in readable:
        break  # the supervisor has gone
    for listener in readable:
        try:
            connection, _ = listener.accept()
        except BlockingIOError:
            continue  # another version of us was faster
        asked.write(b".")
        with connection:
            connection.settimeout(5)
            connection.recv(4096)
            body = f"{os.getpid()} {','.join(sorted(sockets))} {','.join(told)}".encode()
            head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
            connection.sendall(head.encode() + body)
