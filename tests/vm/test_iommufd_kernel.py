# SPDX-License-Identifier: LGPL-2.1-or-later
"""iommufd and dma-bufs as the kernel has them: what p2pd's back ends of these names rest on, shown without p2pd.

On the kernel that the laboratory compiles, because Debian's has no iommufd; what needs none, on Debian's newest, too.
"""

import itertools
import json
from collections.abc import Callable, Iterator

import pytest
from lab import Machine

PROBE = "/srv/cargo/tools/iommufd-probe"

pytestmark = pytest.mark.kernels("built")

PAGE = 4096
LENGTH = 2048  # what edu moves
BAR = 2
# Both below the 28 bits that edu reaches.
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

    def __init__(self, guest: Machine, edu: str, ivshmem: str) -> None:
        self._guest, self.edu, self.ivshmem = guest, edu, ivshmem
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
        name = self._guest.run(f"ls /sys/bus/pci/devices/{address}/vfio-dev").text.strip()
        return f"/dev/vfio/devices/{name}"

    def group(self, address: str) -> str:
        return self._guest.run(f"basename $(readlink /sys/bus/pci/devices/{address}/iommu_group)").text.strip()

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
        before = self._guest.memory("ivshmem")
        self.do(f"load {MEMORY_IOVA:#x} {sent}")
        self.do(f"store {iova:#x}")
        after = self._guest.memory("ivshmem")
        landed = after[offset : offset + LENGTH] == bytes([sent]) * LENGTH
        assert landed or after == before, "all of it, or nothing"
        return landed

    def is_stopped(self, iova: int = BAR_IOVA) -> bool:
        """The same DMA as the one that landed changes nothing, and the IOMMU says that it was there."""
        before = self._guest.dmar_faults(self.edu).count(iova)
        return not self.bytes_land(iova) and self._guest.dmar_faults(self.edu).count(iova) > before

    def map_bar(self) -> None:
        """All of it, to where bytes land."""
        self.attach_edu()
        self.open_ivshmem()
        self.export()
        self.do(self.map_file())
        assert self.bytes_land()


@pytest.fixture
def probe(guest: Machine, edu: str, ivshmem: str) -> Iterator[Probe]:
    guest.run(f"p2p-client bind {edu} && p2p-client bind {ivshmem}")
    started = Probe(guest, edu, ivshmem)
    yield started
    started.process.kill()
    started.process.wait(30.0)


def test_p2pd_runs_on_it(guest: Machine, edu: str, ivshmem: str) -> None:
    listed = json.loads(guest.run("p2p-client list --json").text)
    print(guest.run("p2p-client list").text)
    assert {edu, ivshmem} <= {device["address"] for device in listed["devices"]}
    about = json.loads(guest.run("p2p-client version --json").text)["daemon"]
    print(f"{guest.run('uname -r').text.strip()}: back ends {about['backends']}, problems {about['problems']}")
    assert "vfio-type1" in about["backends"]


def test_bytes_land(probe: Probe) -> None:
    probe.map_bar()
    # What may be mapped where the initiator is attached: the aperture without the window of the interrupts.
    ranges = probe.do(f"ranges iommu {probe.ioas}")["ranges"]
    assert ranges == "0x0-0xfedfffff,0xfef00000-0x7fffffffff"
    assert probe.do(f"unmap iommu {probe.ioas} {BAR_IOVA:#x} {PAGE:#x}") == {"length": hex(PAGE)}
    assert probe.is_stopped()


def test_a_part_of_a_part(probe: Probe) -> None:
    """The second page of a dma-buf that begins with the BAR's second page; any order of map, attach and bind."""
    probe.do("open iommu /dev/iommu")
    probe.ioas = probe.do("ioas iommu")["id"]
    probe.open_ivshmem()
    probe.export(ranges=f"{PAGE:#x} {2 * PAGE:#x}")
    probe.do(probe.map_file(start=PAGE))
    probe.do(f"map-memory iommu {probe.ioas} {MEMORY_IOVA:#x}")
    probe.do(f"open edu {probe.cdev(probe.edu)}")
    probe.do("bind edu iommu")
    probe.do(f"attach edu {probe.ioas}")
    probe.do("engine edu")
    assert probe.bytes_land(offset=2 * PAGE)


def test_the_target_may_be_of_another_iommufd(probe: Probe) -> None:
    probe.attach_edu()
    probe.do("open other /dev/iommu")
    probe.do(f"open ivshmem {probe.cdev(probe.ivshmem)}")
    probe.do("bind ivshmem other")
    probe.export()
    probe.do(probe.map_file())
    assert probe.bytes_land()


def stop_by_memory_enable(probe: Probe) -> None:
    probe.set_memory_enable(False)
    assert probe.is_stopped()
    probe.set_memory_enable(True)


def stop_by_reset(probe: Probe) -> None:
    probe.do("reset ivshmem")


def stop_by_hot_reset(probe: Probe) -> None:
    probe.do("hot-reset ivshmem")


@pytest.mark.parametrize("stop", [stop_by_memory_enable, stop_by_reset, stop_by_hot_reset])
def test_what_vfio_revokes_stays_revoked_until_it_is_mapped_anew(probe: Probe, stop: Callable[[Probe], None]) -> None:
    probe.map_bar()
    stop(probe)
    assert probe.is_stopped()
    # The place is still taken.
    assert probe.errno(probe.map_file()) == "EEXIST"
    assert probe.do(f"unmap iommu {probe.ioas} {BAR_IOVA:#x} {PAGE:#x}") == {"length": hex(PAGE)}
    probe.do(probe.map_file())
    assert probe.bytes_land()


def test_nothing_is_mapped_while_memory_enable_is_off(probe: Probe) -> None:
    probe.attach_edu()
    probe.open_ivshmem()
    probe.set_memory_enable(False)
    probe.export()
    assert probe.errno(probe.map_file()) == "ENODEV"
    probe.set_memory_enable(True)
    probe.do(probe.map_file())
    assert probe.bytes_land()


def test_the_targets_close_revokes_for_good(probe: Probe) -> None:
    probe.map_bar()
    probe.do("close ivshmem")
    assert probe.is_stopped()
    probe.open_ivshmem()
    assert probe.is_stopped()
    probe.do(f"unmap iommu {probe.ioas} {BAR_IOVA:#x} {PAGE:#x}")
    assert probe.errno(probe.map_file()) == "ENODEV"
    probe.export("again")
    probe.do(probe.map_file("again"))
    assert probe.bytes_land()


def test_neither_dma_buf_nor_iommufd_end_with_their_descriptors(probe: Probe) -> None:
    """Who has the initiator's fd keeps the address space; the target's close is what ends it."""
    probe.map_bar()
    probe.do("close buffer")
    assert probe.bytes_land()
    probe.do("close iommu")
    assert probe.bytes_land()
    probe.do("close ivshmem")
    assert probe.is_stopped()


def test_a_reset_that_vfio_does_not_do_revokes_nothing(probe: Probe) -> None:
    probe.map_bar()
    probe._guest.run(f"echo 1 >/sys/bus/pci/devices/{probe.ivshmem}/reset")
    assert probe.bytes_land()


def test_detached_and_attached_again(probe: Probe) -> None:
    probe.map_bar()
    probe.do("detach edu")
    assert not probe.bytes_land()
    probe.do(f"attach edu {probe.ioas}")
    assert probe.bytes_land()


def test_a_copy_lives_without_the_first_mapping_and_ends_with_the_target(probe: Probe) -> None:
    probe.map_bar()
    copied = 4 * BAR_IOVA
    probe.do(f"copy iommu {probe.ioas} {probe.ioas} {PAGE:#x} {copied:#x} {BAR_IOVA:#x}")
    probe.do(f"unmap iommu {probe.ioas} {BAR_IOVA:#x} {PAGE:#x}")
    assert probe.bytes_land(copied)
    assert probe.is_stopped()
    probe.set_memory_enable(False)
    assert probe.is_stopped(copied)


def test_without_the_bus_master_bit_nothing_even_reaches_the_iommu(probe: Probe) -> None:
    probe.map_bar()
    command = int(probe.do("command edu")["value"], 16)
    before = probe._guest.dmar_faults(probe.edu)
    probe.do(f"command edu {command & ~4:#x}")
    assert not probe.bytes_land()
    assert probe._guest.dmar_faults(probe.edu) == before
    probe.do(f"command edu {command:#x}")
    assert probe.bytes_land()


def test_what_the_kernel_refuses(probe: Probe) -> None:
    probe.do(f"open ivshmem {probe.cdev(probe.ivshmem)}")
    probe.do("open iommu /dev/iommu")
    probe.ioas = probe.do("ioas iommu")["id"]

    # Before it is bound a function can do nothing.
    assert probe.errno(f"export buffer ivshmem {BAR} {READ_WRITE} 0 {PAGE:#x}") == "EINVAL"
    assert probe.errno("command ivshmem") == "EINVAL"
    assert probe.errno(f"attach ivshmem {probe.ioas}") == "EINVAL"
    probe.do("memfd memory 0x2000")
    assert probe.errno("bind ivshmem memory") == "EBADFD"
    probe.do("bind ivshmem iommu")
    assert probe.errno("bind ivshmem iommu") == "EINVAL"
    # Opened twice it can be, but not bound.
    probe.do(f"open second {probe.cdev(probe.ivshmem)}")
    assert probe.errno("bind second iommu") == "EINVAL"
    group = probe.group(probe.ivshmem)
    assert probe.errno(f"open-by-group third {group} {probe.ivshmem}") == "EBUSY"

    # Exports.
    size = 1 << 20
    for wrong, errno in {
        f"{BAR} {READ_WRITE}": "EINVAL",
        f"{BAR} {READ_WRITE} 0 0": "EINVAL",
        f"{BAR} {READ_WRITE} 0x800 {PAGE:#x}": "EINVAL",
        f"{BAR} {READ_WRITE} 0 0x800": "EINVAL",
        f"{BAR} {READ_WRITE} {size:#x} {PAGE:#x}": "EINVAL",
        f"{BAR + 1} {READ_WRITE} 0 {PAGE:#x}": "ENODEV",
        f"6 {READ_WRITE} 0 {PAGE:#x}": "ENODEV",
        f"7 {READ_WRITE} 0 {PAGE:#x}": "ENODEV",
    }.items():
        assert probe.errno(f"export wrong ivshmem {wrong}") == errno, wrong

    # Maps.
    probe.export()
    assert probe.errno(probe.map_file(start=PAGE)) == "EINVAL"
    assert probe.errno(probe.map_file(length=2 * PAGE)) == "EINVAL"
    assert probe.errno(probe.map_file(length=0)) == "EINVAL"
    assert probe.errno(probe.map_file(iova=BAR_IOVA + 0x800)) == "EINVAL"
    assert probe.errno(f"map-file iommu 99 buffer 0 {PAGE:#x} {BAR_IOVA:#x} {ANY}") == "ENOENT"
    assert probe.errno(f"map-file iommu {probe.ioas} buffer 0 {PAGE:#x} {BAR_IOVA:#x} {FIXED}") == "EINVAL"
    assert probe.errno(f"map-file iommu {probe.ioas} buffer 0 {PAGE:#x} {BAR_IOVA:#x} 8") == "EOPNOTSUPP"
    assert probe.errno(f"map-file iommu {probe.ioas} iommu 0 {PAGE:#x} {BAR_IOVA:#x} {ANY}") == "EINVAL"
    probe.export("two", f"0 {PAGE:#x} {2 * PAGE:#x} {PAGE:#x}")
    assert probe.errno(probe.map_file("two")) == "EOPNOTSUPP"
    probe.do("udmabuf foreign memory 0x2000")
    assert probe.errno(probe.map_file("foreign")) == "EOPNOTSUPP"
    assert probe.errno(f"map-bar iommu {probe.ioas} ivshmem {BAR} {PAGE:#x} {BAR_IOVA:#x}") == "EFAULT"
    assert probe.errno(f"mmap buffer {PAGE:#x}") == "ENODEV"
    probe.do(probe.map_file())
    assert probe.errno(probe.map_file()) == "EEXIST"
    assert probe.errno(f"unmap iommu {probe.ioas} {2 * BAR_IOVA:#x} {PAGE:#x}") == "ENOENT"

    # The window of the interrupts, once somebody is attached.
    probe.do(f"attach ivshmem {probe.ioas}")
    assert probe.errno(probe.map_file(iova=0xFEE00000)) == "EINVAL"
    assert probe.errno(f"destroy iommu {probe.ioas}") == "EBUSY"


@pytest.mark.kernels("newest", "built")
def test_a_function_that_was_opened_by_its_group_exports_too(probe: Probe) -> None:
    """What the back end `dma-buf` does where there is no iommufd."""
    probe.do(f"open-by-group ivshmem {probe.group(probe.ivshmem)} {probe.ivshmem}")
    probe.export()
    assert probe.errno(f"mmap buffer {PAGE:#x}") == "ENODEV"
