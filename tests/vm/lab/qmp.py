# SPDX-License-Identifier: LGPL-2.1-or-later
"""QEMU's own control channel: plug, unplug, and where each device is."""

import json
import socket
from pathlib import Path
from typing import Any

from .errors import LabError


class Qmp:
    """One connection; replies are waited for, events are kept until asked for."""

    def __init__(self, path: Path, timeout: float = 30.0) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(timeout)
        self._socket.connect(str(path))
        self._lines = self._socket.makefile("rb")
        self._events: list[dict[str, Any]] = []
        self._receive()  # the greeting
        self.execute("qmp_capabilities")

    def execute(self, command: str, **arguments: object) -> Any:
        """The command's return value."""
        request = {"execute": command, "arguments": arguments}
        self._socket.sendall(json.dumps(request).encode() + b"\n")
        while True:
            message = self._receive()
            if "error" in message:
                raise LabError(f"QMP {command}: {message['error']['desc']}")
            if "return" in message:
                return message["return"]
            self._events.append(message)

    def wait_for_event(self, name: str, **data: object) -> dict[str, Any]:
        """The next event of that name whose data has these values; earlier ones count."""

        def fits(event: dict[str, Any]) -> bool:
            have = event.get("data", {})
            return event.get("event") == name and all(have.get(key) == value for key, value in data.items())

        while True:
            for event in self._events:
                if fits(event):
                    self._events.remove(event)
                    return event
            self._events.append(self._receive())

    def close(self) -> None:
        self._lines.close()
        self._socket.close()

    def _receive(self) -> dict[str, Any]:
        try:
            line = self._lines.readline()
        except TimeoutError as error:
            raise LabError("QEMU did not answer on QMP in time") from error
        if not line:
            raise LabError("QEMU has closed QMP")
        message: dict[str, Any] = json.loads(line)
        return message
