# SPDX-License-Identifier: LGPL-2.1-or-later
"""Asks the kernel and p2pd the same of every ordered pair of NVMe controllers: may the first reach the second's memory?
Prints what both say as JSON.

usage: oracle.py CONTROLLERS        how many there must be

The kernel says it by what it does: a read from the disk of the first, past the page cache, into a page of the second's
controller memory buffer. A transfer that may not be is refused before a byte moves, with an errno and a line in the log.
"""

import json
import mmap
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import dbus

DEVICES = Path("/sys/bus/pci/devices")
MEMORY_BAR = 2  # where QEMU has the controller memory buffer
PAGE = 4096
PATIENCE = 120.0

# p2pdma.c calc_map_type_and_dist(). Once for each pair: the kernel remembers what it has decided.
REFUSED = re.compile(r"nvme (\S+): cannot be used for peer-to-peer DMA as the client and provider \((\S+)\)")


class Controller:
    def __init__(self, directory: Path) -> None:
        self.address = directory.name
        (controller,) = (directory / "nvme").iterdir()
        self.name = (controller / "serial").read_text().strip()
        (disk,) = controller.glob("nvme*n1")
        self.disk = os.open(f"/dev/{disk.name}", os.O_RDONLY | os.O_DIRECT)
        self.memory = mmap.mmap(os.open(directory / "p2pmem" / "allocate", os.O_RDWR), PAGE)

    def read_into(self, memory: mmap.mmap) -> int:
        """The errno; 0 when the bytes were read."""
        try:
            os.preadv(self.disk, [memory], 0)
        except OSError as error:
            return error.errno
        return 0


def find_controllers(count: int) -> list[Controller]:
    """Loads their driver, which the boot was kept from: without udev, which needs longer for their disks than all else
    here does, and has no part in it."""
    subprocess.run(["udevadm", "control", "--stop-exec-queue"], check=True)
    subprocess.run(["modprobe", "nvme"], check=True)
    deadline = time.monotonic() + PATIENCE
    while len(disks := sorted(DEVICES.glob("*/nvme/nvme*/nvme*n1"))) < count:
        if time.monotonic() > deadline:
            sys.exit(f"{len(disks)} disks after {PATIENCE:g} s, not {count}")
        time.sleep(0.2)
    return [Controller(disk.parents[2]) for disk in disks]


def ask_kernel(controllers: list[Controller]) -> list[dict[str, Any]]:
    answers = [{"errno": a.read_into(b.memory)} for a in controllers for b in controllers]
    log = subprocess.run(["dmesg"], check=True, capture_output=True, text=True).stdout
    refused = {match.groups() for match in REFUSED.finditer(log)}
    pairs = [(a.address, b.address) for a in controllers for b in controllers]
    return [answer | {"logged": pair in refused} for answer, pair in zip(answers, pairs, strict=True)]


def check(manager: dbus.Interface, initiator: str, target: str) -> Any:
    """Who asks for much is told to wait: p2pd charges time, and in an emulated machine everything takes long."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return manager.Check(initiator, target, {}, signature="ssa{sv}")[1]
        except dbus.DBusException as error:
            if error.get_dbus_name() != "org.p2pd1.Error.QuotaExceeded" or time.monotonic() > deadline:
                raise
            time.sleep(1.0)


def ask_p2pd(controllers: list[Controller]) -> list[dict[str, Any]]:
    manager = dbus.Interface(dbus.SystemBus().get_object("org.p2pd1", "/org/p2pd1"), "org.p2pd1.Manager")
    answers = []
    for a in controllers:
        for b in controllers:
            verdict = check(manager, a.address, f"{b.address}:{MEMORY_BAR}")
            answers.append({"kernel": verdict["kernel"], "blockers": verdict["blockers"]})
    return answers


def main() -> None:
    controllers = find_controllers(int(sys.argv[1]))
    ordinary = mmap.mmap(-1, PAGE)
    print(
        json.dumps(
            {
                "release": os.uname().release,
                "controllers": {c.name: {"address": c.address, "errno": c.read_into(ordinary)} for c in controllers},
                "pairs": [[a.name, b.name] for a in controllers for b in controllers],
                "kernel": ask_kernel(controllers),
                "p2pd": ask_p2pd(controllers),
            }
        )
    )


main()
