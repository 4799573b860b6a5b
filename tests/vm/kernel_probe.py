# SPDX-License-Identifier: LGPL-2.1-or-later
"""The program that speaks iommufd and dma-buf with the kernel, as an object."""

import itertools
import time

import pytest
from lab import Machine

PROBE = "/srv/cargo/tools/iommufd-probe"

PAGE = 4096
LENGTH = 2048  # what edu moves
BAR = 2
# All below the 28 bits that edu reaches.
BAR_IOVA, MEMORY_IOVA = 0x100000, 0x200000
FIXED, WRITEABLE, READABLE = 1, 2, 4
ANY = FIXED | WRITEABLE | READABLE
MEMORY_ENABLE = 2
READ_WRITE = 2

_bytes = itertools.count(1)


class Refused(AssertionError):
    """The kernel said no."""


class Probe:
    """The program of tests/vm/tools/iommufd_probe.cpp; every step that it does is printed with its errno."""

    def __init__(self, guest: Machine, edu: str, ivshmem: str, memory: str = "ivshmem") -> None:
        """`memory`: what the host calls the target."""
        self.guest, self.edu, self.ivshmem, self.memory = guest, edu, ivshmem, memory
        self.process = guest.start([PROBE])

    def do(self, line: str) -> dict[str, str]:
        answer = self.process.ask(line, 60.0).strip()
        print(f"{line}: {answer}")
        if not answer.startswith("ok"):
            raise Refused(f"{line}: {answer}")
        return dict(word.split("=", 1) for word in answer.split()[1:])

    def errno(self, line: str) -> str:
        """Of a step that must fail."""
        with pytest.raises(Refused) as refused:
            self.do(line)
        return str(refused.value).rsplit(" ", 1)[1]

    def cdev(self, address: str) -> str:
        name = self.guest.run(f"ls /sys/bus/pci/devices/{address}/vfio-dev").text.strip()
        return f"/dev/vfio/devices/{name}"

    def group(self, address: str) -> str:
        return self.guest.run(f"basename $(readlink /sys/bus/pci/devices/{address}/iommu_group)").text.strip()

    # --- the pieces that most tests put together

    def attach_edu(self) -> None:
        """The initiator in an address space that holds a page of memory."""
        self.do("open iommu /dev/iommu")
        self.do(f"open edu {self.cdev(self.edu)}")
        self.do("bind edu iommu")
        self.ioas = self.do("ioas iommu")["id"]
        self.do(f"attach edu {self.ioas}")
        self.do(f"map-memory iommu {self.ioas} {MEMORY_IOVA:#x}")
        self.do("engine edu")

    def open_ivshmem(self) -> None:
        """The target: bound, because it can not be used before, and attached to nothing."""
        self.do(f"open ivshmem {self.cdev(self.ivshmem)}")
        self.do("bind ivshmem iommu")

    def export(self, name: str = "buffer", ranges: str = f"0 {PAGE:#x}") -> None:
        self.do(f"export {name} ivshmem {BAR} {READ_WRITE} {ranges}")

    def map_file(self, name: str = "buffer", *, start: int = 0, length: int = PAGE, iova: int = BAR_IOVA) -> str:
        return f"map-file iommu {self.ioas} {name} {start:#x} {length:#x} {iova:#x} {ANY}"

    def set_memory_enable(self, on: bool) -> None:
        command = int(self.do("command ivshmem")["value"], 16)
        self.do(f"command ivshmem {command | MEMORY_ENABLE if on else command & ~MEMORY_ENABLE:#x}")

    def bytes_land(self, iova: int = BAR_IOVA, offset: int = 0) -> bool:
        """Sends other bytes than ever before to an IOVA, and looks for them from outside."""
        sent = next(_bytes)
        before = self.guest.memory(self.memory)
        self.do(f"load {MEMORY_IOVA:#x} {sent}")
        self.do(f"store {iova:#x}")
        after = self.guest.memory(self.memory)
        landed = after[offset : offset + LENGTH] == bytes([sent]) * LENGTH
        assert landed or after == before, "all of it, or nothing"
        return landed

    def is_stopped(self, iova: int = BAR_IOVA) -> bool:
        """The same DMA as the one that landed changes nothing, and the IOMMU says that it was there: not of every one,
        because the kernel's log takes only some in five seconds."""
        before = self.guest.dmar_faults(self.edu).count(iova)
        deadline = time.monotonic() + 20.0
        while not self.bytes_land(iova):
            if self.guest.dmar_faults(self.edu).count(iova) > before:
                return True
            assert time.monotonic() < deadline, "nothing lands, but no fault either"
        return False

    def map_bar(self) -> None:
        """All of it, to where bytes land."""
        self.attach_edu()
        self.open_ivshmem()
        self.export()
        self.do(self.map_file())
        assert self.bytes_land()
