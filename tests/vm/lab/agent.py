# SPDX-License-Identifier: LGPL-2.1-or-later
"""The host's half of the laboratory's agent: commands in the guest.

Messages, one JSON object a line, bytes as base64:

    host  -> guest   start {argv, user, env}, write {data}, close, signal {signal, group}
    guest -> host    hello, started {pid}, failed {error}, output {stream, data}, exit {status}

Each carries the `id` of its command, so any number can run at once. The guest
sends `exit` after the last byte of output, and the status is exact.
"""

import base64
import json
import shlex
import signal
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import LabError

DEFAULT_TIMEOUT = 60.0


@dataclass(frozen=True)
class Result:
    """How a command ended. A negative status is the signal that killed it."""

    command: str
    status: int
    stdout: bytes
    stderr: bytes

    @property
    def text(self) -> str:
        return self.stdout.decode(errors="replace")

    @property
    def error_text(self) -> str:
        return self.stderr.decode(errors="replace")


class CommandFailed(LabError):
    """A checked command in the guest ended with a status other than 0."""

    def __init__(self, result: Result) -> None:
        super().__init__(
            f"in the guest: {result.command}\nended with status {result.status}"
            f"\n--- stdout\n{result.text}--- stderr\n{result.error_text}"
        )
        self.result = result


class Process:
    """A command in the guest, running or ended."""

    def __init__(self, agent: "Agent", identity: int, command: str) -> None:
        self._agent = agent
        self._identity = identity
        self._changed = threading.Condition()
        self._streams = {1: bytearray(), 2: bytearray()}
        self._taken = 0
        self._error: str | None = None
        self.command = command
        self.pid: int | None = None
        self.status: int | None = None

    def write(self, data: bytes | str) -> None:
        """To the command's standard input; the guest takes it as the command reads."""
        raw = data.encode() if isinstance(data, str) else data
        self._agent.send(self._identity, "write", data=base64.b64encode(raw).decode())

    def close_stdin(self) -> None:
        self._agent.send(self._identity, "close")

    def signal(self, number: int = signal.SIGTERM, group: bool = False) -> None:
        """To the process alone, or to all of its group."""
        self._agent.send(self._identity, "signal", signal=int(number), group=group)

    def kill(self) -> None:
        self.signal(signal.SIGKILL, group=True)

    def wait(self, timeout: float = DEFAULT_TIMEOUT) -> Result:
        """Waits for the end; when the time is up the command is killed and that is an error."""
        try:
            self._wait_for(lambda: self.status is not None, timeout, "did not end")
        except LabError:
            self.kill()
            raise
        assert self.status is not None
        return Result(self.command, self.status, bytes(self._streams[1]), bytes(self._streams[2]))

    def read_line(self, timeout: float = DEFAULT_TIMEOUT) -> str:
        """The next line of standard output, without its end: how a test talks with a helper."""

        def has_line() -> bool:
            return b"\n" in self._streams[1][self._taken :] or self.status is not None

        self._wait_for(has_line, timeout, "wrote no line")
        with self._changed:
            end = self._streams[1].find(b"\n", self._taken)
            if end < 0:
                raise LabError(self._describe(f"ended with status {self.status} instead of writing a line"))
            line = bytes(self._streams[1][self._taken : end])
            self._taken = end + 1
        return line.decode(errors="replace")

    def ask(self, line: str, timeout: float = DEFAULT_TIMEOUT) -> str:
        """Writes a line and returns the one that comes back."""
        self.write(line + "\n")
        return self.read_line(timeout)

    def wait_until_started(self, timeout: float = DEFAULT_TIMEOUT) -> None:
        self._wait_for(lambda: self.pid is not None, timeout, "was not started")

    def _wait_for(self, condition: Callable[[], bool], timeout: float, complaint: str) -> None:
        with self._changed:
            if not self._changed.wait_for(lambda: condition() or self._error is not None, timeout):
                raise LabError(self._describe(f"{complaint} within {timeout:g} s"))
            if not condition():
                raise LabError(self._describe(self._error or complaint))

    def _describe(self, what: str) -> str:
        out, err = (bytes(self._streams[n]).decode(errors="replace") for n in (1, 2))
        return f"in the guest: {self.command}\n{what}\n--- stdout\n{out}--- stderr\n{err}"

    def _take(self, message: dict[str, Any]) -> None:
        with self._changed:
            match message["op"]:
                case "started":
                    self.pid = message["pid"]
                case "output":
                    self._streams[message["stream"]] += base64.b64decode(message["data"])
                case "exit":
                    self.status = message["status"]
                case "failed":
                    self._error = message["error"]
            self._changed.notify_all()

    def _lose(self, why: str) -> None:
        with self._changed:
            self._error = why
            self._changed.notify_all()


class Agent:
    """A connection to the guest's agent."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.connect(str(path))
        self._lock = threading.Lock()
        self._processes: dict[int, Process] = {}
        self._last = 0
        self._lost: str | None = None
        self._greeted = threading.Event()
        threading.Thread(target=self._receive, name="agent", daemon=True).start()

    def wait_until_up(self, deadline: float, still_alive: Callable[[], None]) -> None:
        """Until the guest's half says hello; `still_alive` raises when there is nothing left to wait for."""
        while not self._greeted.wait(0.2):
            still_alive()
            if time.monotonic() > deadline:
                raise LabError("the guest's agent did not answer in time")

    def start(
        self, command: str | Sequence[str], user: str | None = None, env: Mapping[str, str] | None = None
    ) -> Process:
        """Starts a command (a string is the shell's) and returns when it runs."""
        argv = ["/bin/sh", "-c", command] if isinstance(command, str) else list(command)
        with self._lock:
            self._last += 1
            process = Process(self, self._last, command if isinstance(command, str) else shlex.join(argv))
            self._processes[self._last] = process
        self.send(process._identity, "start", argv=argv, user=user, env=dict(env or {}))
        process.wait_until_started()
        return process

    def send(self, identity: int, operation: str, **fields: object) -> None:
        line = json.dumps({"id": identity, "op": operation} | fields).encode() + b"\n"
        with self._lock:
            if self._lost:
                raise LabError(self._lost)
            self._socket.sendall(line)

    def close(self) -> None:
        self._socket.close()

    def _receive(self) -> None:
        try:
            with self._socket.makefile("rb") as lines:
                for line in lines:
                    self._dispatch(json.loads(line))
        except (OSError, ValueError):
            pass
        with self._lock:
            self._lost = "the connection to the guest is gone"
            waiting = list(self._processes.values())
        for process in waiting:
            process._lose(self._lost)

    def _dispatch(self, message: dict[str, Any]) -> None:
        if message["op"] == "hello":
            self._greeted.set()
            return
        with self._lock:
            process = self._processes.get(message["id"])
            if message["op"] in ("exit", "failed"):
                self._processes.pop(message["id"], None)
        if process is not None:
            process._take(message)
