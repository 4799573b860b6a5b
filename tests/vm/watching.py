# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the kernel says about devices and what p2pd tells its clients, each with the guest's time of it."""

import json
import re
import time
from pathlib import Path
from typing import Any, Self

import lab
from lab import LabError, Machine

# KERNEL[67.310982] add      /devices/pci0000:00/0000:00:04.0/0000:05:00.0 (pci)
_UEVENT = re.compile(r"KERNEL\[(?P<time>[0-9.]+)\] (?P<action>\w+) +\S+/(?P<address>[0-9a-f:.]+) \(pci\)")
# [   67.310982] vfio-pci 0000:05:00.0: Relaying device request to user (#0)
_REQUEST = r"^\[ *([0-9.]+)\] vfio-pci {}: Relaying device request"

_STAMP = "/run/stamp_lines.py"
_MONITOR = ["python3", _STAMP, "p2p-client", "monitor", "--json"]


class Watching:
    """`udevadm monitor` and `p2p-client monitor`, side by side; `toggled` is a function to offer and withdraw."""

    def __init__(self, guest: Machine, toggled: str) -> None:
        self._guest = guest
        guest.put(_STAMP, (Path(lab.__file__).parent / "guest" / "stamp_lines.py").read_bytes())
        self._kernel = guest.start("exec udevadm monitor --kernel --subsystem-match=pci")
        self._told = guest.start(_MONITOR)
        while self._kernel.read_line().strip() != "KERNEL - the kernel uevent":
            pass
        # The monitor says nothing before the first change: make one until it does.
        for _ in range(20):
            guest.run(f"p2p-client offer {toggled} && p2p-client withdraw {toggled}")
            try:
                self._told.read_line(timeout=1.0)
                return
            except LabError:
                continue
        raise LabError("p2p-client monitor tells nothing")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._kernel.kill()
        self._told.kill()

    def uevent(self, action: str, address: str, timeout: float = 60.0) -> float:
        """When the kernel said so next."""
        deadline = time.monotonic() + timeout
        while True:
            line = self._kernel.read_line(max(deadline - time.monotonic(), 0.1))
            found = _UEVENT.match(line)
            if found and (found["action"], found["address"]) == (action, address):
                return float(found["time"])

    def told(self, event: str, name: str, timeout: float = 30.0) -> tuple[float, dict[str, Any]]:
        """When p2pd told this next, and what: of a function by its address, of a grant by its path."""
        deadline = time.monotonic() + timeout
        while True:
            when, _, text = self._told.read_line(max(deadline - time.monotonic(), 0.1)).partition(" ")
            change: dict[str, Any] = json.loads(text)
            known = change["after"] or change["before"] or {}
            if change["event"] == event and name in (change["path"], known.get("address")):
                return float(when), change

    def request(self, address: str, last: float = 0.0) -> float:
        """When vfio-pci asked p2pd for a function, after `last`."""
        log = self._guest.run("dmesg").text
        times = re.findall(_REQUEST.format(re.escape(address)), log, re.MULTILINE)
        return min(float(stamp) for stamp in times if float(stamp) > last)
