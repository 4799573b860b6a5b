# SPDX-License-Identifier: LGPL-2.1-or-later
"""The tests' client in the guest, as an object: what it does, and who else keeps what it had."""

import itertools
import json
import time
from typing import Any

from lab import Machine
from lab.agent import Process

PROBE = "/srv/cargo/tools/dma-probe"

_sockets = itertools.count(1)


class Refused(AssertionError):
    """The client, or p2pd behind it, said no."""

    def __init__(self, command: str, answer: str) -> None:
        super().__init__(f"{command}: {answer}")
        _, self.name, self.text = [*answer.split(" ", 2), ""][:3]


def _parsed(command: str, answer: str) -> dict[str, str]:
    if not answer.startswith("ok"):
        raise Refused(command, answer)
    return dict(word.split("=", 1) for word in answer.split()[1:] if "=" in word)


class Holder:
    """A process that keeps the device fd, the memory and the cookies, but no lease."""

    def __init__(self, guest: Machine, path: str, user: str) -> None:
        self._guest, self._path, self._user = guest, path, user

    def do(self, command: str) -> dict[str, str]:
        answer = self._guest.run([PROBE, "--talk", self._path, *command.split()], user=self._user, check=False).text
        return _parsed(command, answer.strip())


class Client:
    """An unprivileged program; the methods are the lines of its protocol (tests/vm/tools/dma_probe.cpp)."""

    def __init__(self, guest: Machine, user: str = "alice") -> None:
        self._guest, self._user = guest, user
        self.process: Process = guest.start([PROBE], user=user)

    def do(self, command: str) -> dict[str, str]:
        return _parsed(command, self.process.ask(command, 60.0).strip())

    def fork_holder(self) -> Holder:
        path = f"/tmp/holder-{next(_sockets)}"
        self.do(f"fork-holder {path}")
        return Holder(self._guest, path, self._user)

    def kill(self) -> None:
        """As the kernel would: no farewell to anybody."""
        self.process.signal(9)
        self.process.wait(30.0)


def grants(guest: Machine) -> dict[str, Any]:
    """What p2pd says is held and mapped."""
    shown: dict[str, Any] = json.loads(guest.run("p2p-client mappings --json").text)
    return shown


def wait_until_nothing_is_held(guest: Machine, seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while True:
        shown = grants(guest)
        if not shown["holdings"] and not shown["mappings"]:
            return
        assert time.monotonic() < deadline, f"still held after {seconds} s: {shown}"


def main_pid(guest: Machine) -> int:
    return int(guest.run("systemctl show --property=MainPID --value p2pd.service").text)


def wait_for_another_main_pid(guest: Machine, before: int) -> None:
    deadline = time.monotonic() + 30
    while True:
        state = guest.run("systemctl is-active p2pd.service", check=False).text.strip()
        if state == "active" and main_pid(guest) not in (0, before):
            return
        assert time.monotonic() < deadline, f"p2pd did not come back: {state}"
        time.sleep(0.2)
