"""A bought proxy as a process: its files, its reload, its end; started again if it dies."""

import asyncio
import os
import signal
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from era5_sidecar.bought import find, language, place
from era5_sidecar.config import ConfigError, SidecarConfig
from era5_sidecar.discovery import Instance

CHECK_S = 10.0
LOOK_AGAIN_S = 0.01
LONGEST_PAUSE_S = 5.0

# How each is told that its file has changed (Envoy watches it), and that it shall finish.
RELOAD = {"haproxy": signal.SIGUSR2, "nginx": signal.SIGHUP}
FINISH = {"haproxy": signal.SIGUSR1, "nginx": signal.SIGQUIT, "envoy": signal.SIGTERM}


class Program:
    """The bought proxy as a process with its files."""

    def __init__(
        self, name: str, config: SidecarConfig, folder: Path, say: Callable[[str], None]
    ) -> None:
        """name: one of PROGRAMS. say: told one line for the operator. Raises Missing."""
        self.config = config
        self._say = say
        self._name = name
        self._binary = find(name)
        self._folder = folder
        self._known: dict[str, tuple[Instance, ...]] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self._accepted: tuple[SidecarConfig, dict[str, tuple[Instance, ...]]] | None = None
        self._workers: tuple[int, ...] = ()
        self._is_over = False

    def write(self) -> bool:
        """Write the files; True if one has changed and the program accepts them.

        Raises ConfigError if it does not, or if we cannot say it.
        """
        if not place(self._name, self.config, self._known, self._folder):
            return False
        checks = language(self._name).check(self._binary, str(self._folder))
        done = subprocess.run(
            checks, capture_output=True, text=True, check=False, timeout=CHECK_S, env=_plain()
        )
        if done.returncode:
            if self._accepted:  # else it would be what the program reads when it starts again
                place(self._name, *self._accepted, self._folder)
            told = (done.stderr + done.stdout).strip()[-300:]
            raise ConfigError(self._name, f"does not accept its file: {told}")
        self._accepted = self.config, dict(self._known)
        return True

    def learn(self, service: str, instances: tuple[Instance, ...]) -> None:
        """Other instances than before: write, and say so to the program."""
        before = self._known.get(service, ())
        self._known[service] = instances
        try:
            if self.write():
                self.reload()
        except ConfigError as error:
            self._known[service] = before
            self._say(f"instances of {service} not taken over: {error}")

    def reload(self) -> None:
        """The files have changed."""
        if self._process and self._name in RELOAD:
            with suppress(ProcessLookupError):
                self._process.send_signal(RELOAD[self._name])

    def start(self) -> None:
        """Start it; its output is ours, or the access log where it knows no other."""
        command = language(self._name).command(self._binary, str(self._folder))
        path = self.config.log.path
        if self._name != "haproxy" or path in ("", "-"):
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, env=_plain())
            return
        with Path(path).open("ab") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, env=_plain()
            )

    async def keep(self) -> None:
        """Start it again whenever it has ended, until `finish`."""
        pause_s = 0.0
        while not self._is_over:
            if self._process and self._process.poll() is None:
                self._workers = _children(self._process.pid)
                await asyncio.sleep(LOOK_AGAIN_S)
                continue
            self._end_workers()
            self._say(f"{self._name} ended; it is started again in {pause_s:g} s")
            await asyncio.sleep(pause_s)
            pause_s = min(LONGEST_PAUSE_S, max(0.1, 2 * pause_s))
            self.start()

    async def finish(self) -> None:
        """Let it end what it has begun, and see it off."""
        self._is_over = True
        if not self._process or self._process.poll() is not None:
            return
        if self._name == "envoy":
            await _drain(self.config)
        self._process.send_signal(FINISH[self._name])
        until = asyncio.get_running_loop().time() + self.config.inbound.drain_s
        while self._process.poll() is None and asyncio.get_running_loop().time() < until:
            await asyncio.sleep(LOOK_AGAIN_S)
        self._process.kill()
        self._process.wait()
        self._end_workers()

    def _end_workers(self) -> None:
        """nginx's outlive their master, and would keep its sockets."""
        for worker in self._workers:
            with suppress(ProcessLookupError):
                os.kill(worker, signal.SIGKILL)
        self._workers = ()


def _children(pid: int) -> tuple[int, ...]:
    """Those of a process, where the system says so in a file."""
    try:
        return tuple(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))
    except OSError:
        return ()


async def _drain(config: SidecarConfig) -> None:
    """Envoy ends at once when it is told to; that connections shall end, it is told before."""
    host, _, port = config.admin_listen.removeprefix("http://").rpartition(":")
    with suppress(OSError, TimeoutError):
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"POST /drain_listeners?graceful HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await asyncio.wait_for(reader.readline(), 1.0)
        writer.close()
    await asyncio.sleep(config.inbound.drain_s / 2)


def _plain() -> dict[str, str]:
    """Our environment without http_proxy: a proxy that asks a proxy never ends."""
    return {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")}
