# SPDX-License-Identifier: LGPL-2.1-or-later
"""iommufd and dma-bufs as the kernel has them: what p2pd's back ends of these names rest on, shown without p2pd.

On the kernel that the laboratory compiles, because Debian's has no iommufd; what needs none, on Debian's newest, too.
"""

import json
from collections.abc import Callable, Iterator

import pytest
from kernel_probe import ANY, BAR, BAR_IOVA, FIXED, MEMORY_IOVA, PAGE, READ_WRITE, READABLE, Probe
from lab import Machine

pytestmark = pytest.mark.kernels("built")

COPY_IOVA = 0x400000
# Where nothing can be: at no page, where interrupts are written to, and above the aperture of 39 bits.
ODD, INTERRUPTS, BEYOND = BAR_IOVA + 0x800, 0xFEE00000, 1 << 39


@pytest.fixture(scope="module")
def functions(guest: Machine) -> Iterator[None]:
    """Both on vfio-pci, and with nobody: p2pd keeps what it has lent open."""
    for name in "edu", "ivshmem":
        guest.run(f"p2p-client bind {guest.address(name)}")
    guest.run("systemctl stop p2pd.service")
    yield
    guest.run("systemctl start p2pd.service")
    for name in "edu", "ivshmem":
        guest.run(f"p2p-client unbind {guest.address(name)}")


@pytest.fixture
def probe(guest: Machine, functions: None, edu: str, ivshmem: str) -> Iterator[Probe]:
    started = Probe(guest, edu, ivshmem)
    yield started
    started.process.kill()
    started.process.wait(30.0)


def test_p2pd_runs_on_it(guest: Machine, edu: str, ivshmem: str) -> None:
    listed = json.loads(guest.run("p2p-client list --json").text)
    print(guest.run("p2p-client list").text)
    assert {edu, ivshmem} <= {device["address"] for device in listed["functions"]}
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


# A dma-buf in an iommufd: whether p2pd imports it or somebody else, the kernel does the same.
_DECODE_OFF = [pytest.mark.shows("decode off", back_end=back_end) for back_end in ("iommufd", "dma-buf")]


@pytest.mark.parametrize("stop", [pytest.param(stop_by_memory_enable, marks=_DECODE_OFF), stop_by_reset, stop_by_hot_reset])
def test_what_vfio_revokes_stays_revoked_until_it_is_mapped_anew(probe: Probe, stop: Callable[[Probe], None]) -> None:
    probe.map_bar()
    stop(probe)
    assert probe.is_stopped()
    # What is left of it can be copied and attached, to no effect; and its place is still taken.
    probe.do(f"copy iommu {probe.ioas} {probe.ioas} {PAGE:#x} {COPY_IOVA:#x} {BAR_IOVA:#x}")
    assert probe.is_stopped(COPY_IOVA)
    probe.do("detach edu")
    probe.do(f"attach edu {probe.ioas}")
    assert probe.is_stopped()
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


def test_who_holds_the_dma_buf_or_the_mapping_keeps_no_driver(probe: Probe) -> None:
    """Who holds the function does; until it is closed its bytes can be reached."""
    probe.map_bar()
    driver = f"/sys/bus/pci/devices/{probe.ivshmem}/driver"
    unbinding = probe.guest.start(f"echo {probe.ivshmem} >{driver}/unbind")
    blocked = "blocked until released by user"
    probe.guest.run(f"until dmesg | grep -q '{probe.ivshmem}: .*{blocked}'; do sleep 0.2; done", timeout=20.0)
    assert probe.bytes_land()
    probe.do("close ivshmem")
    assert unbinding.wait(10.0).status == 0
    assert probe.is_stopped()
    probe.guest.run(f"echo {probe.ivshmem} >/sys/bus/pci/drivers_probe")


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
    probe.guest.run(f"echo 1 >/sys/bus/pci/devices/{probe.ivshmem}/reset")
    assert probe.bytes_land()


def test_detached_and_attached_again(probe: Probe) -> None:
    probe.map_bar()
    probe.do("detach edu")
    assert not probe.bytes_land()
    probe.do(f"attach edu {probe.ioas}")
    assert probe.bytes_land()


def test_a_copy_lives_without_the_first_mapping_and_ends_with_the_target(probe: Probe) -> None:
    probe.map_bar()
    probe.do(f"copy iommu {probe.ioas} {probe.ioas} {PAGE:#x} {COPY_IOVA:#x} {BAR_IOVA:#x}")
    probe.do(f"unmap iommu {probe.ioas} {BAR_IOVA:#x} {PAGE:#x}")
    assert probe.bytes_land(COPY_IOVA)
    assert probe.is_stopped()
    probe.set_memory_enable(False)
    assert probe.is_stopped(COPY_IOVA)


def test_without_the_bus_master_bit_nothing_even_reaches_the_iommu(probe: Probe) -> None:
    probe.map_bar()
    command = int(probe.do("command edu")["value"], 16)
    before = probe.guest.dmar_faults(probe.edu)
    probe.do(f"command edu {command & ~4:#x}")
    assert not probe.bytes_land()
    assert probe.guest.dmar_faults(probe.edu) == before
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

    # Maps, where somebody is attached.
    probe.do(f"attach ivshmem {probe.ioas}")
    probe.export()
    assert probe.errno(probe.map_file(start=PAGE)) == "EINVAL"
    assert probe.errno(probe.map_file(length=2 * PAGE)) == "EINVAL"
    assert probe.errno(probe.map_file(length=0)) == "EINVAL"
    for outside in ODD, INTERRUPTS, BEYOND:
        assert probe.errno(probe.map_file(iova=outside)) == "EINVAL"
    assert probe.errno(f"map-file iommu 99 buffer 0 {PAGE:#x} {BAR_IOVA:#x} {ANY}") == "ENOENT"
    assert probe.errno(f"map-file iommu {probe.ioas} buffer 0 {PAGE:#x} {BAR_IOVA:#x} {FIXED}") == "EINVAL"
    assert probe.errno(f"map-file iommu {probe.ioas} buffer 0 {PAGE:#x} {BAR_IOVA:#x} 8") == "EOPNOTSUPP"
    assert probe.errno(probe.map_file("iommu")) == "EINVAL"
    probe.export("two", f"0 {PAGE:#x} {2 * PAGE:#x} {PAGE:#x}")
    assert probe.errno(probe.map_file("two")) == "EOPNOTSUPP"
    probe.do("udmabuf foreign memory 0x2000")
    assert probe.errno(probe.map_file("foreign")) == "EOPNOTSUPP"
    assert probe.errno(f"map-bar iommu {probe.ioas} ivshmem {BAR} {PAGE:#x} {BAR_IOVA:#x}") == "EFAULT"
    probe.do(probe.map_file())
    assert probe.errno(probe.map_file()) == "EEXIST"
    assert probe.errno(f"unmap iommu {probe.ioas} {2 * BAR_IOVA:#x} {PAGE:#x}") == "ENOENT"
    assert probe.errno(f"destroy iommu {probe.ioas}") == "EBUSY"


def test_what_is_mapped_while_nobody_is_attached_may_keep_everybody_out(probe: Probe) -> None:
    """Only who is attached brings a page size, an aperture and the window of the interrupts; and makes the pages be there."""
    probe.do("open iommu /dev/iommu")
    probe.ioas = probe.do("ioas iommu")["id"]
    assert probe.do(f"ranges iommu {probe.ioas}") == {"alignment": "0x1", "ranges": "0x0-0xffffffffffffffff"}
    probe.open_ivshmem()
    probe.export()
    for outside in ODD, INTERRUPTS, BEYOND:
        probe.do(probe.map_file(iova=outside))
        assert probe.errno(f"attach ivshmem {probe.ioas}") == "EADDRINUSE"
        probe.do(f"unmap iommu {probe.ioas} {outside:#x} {PAGE:#x}")
    probe.do(probe.map_file("iommu"))  # it can not be mapped: nobody has tried
    assert probe.errno(f"attach ivshmem {probe.ioas}") == "EINVAL"
    probe.do(f"unmap iommu {probe.ioas} {BAR_IOVA:#x} {PAGE:#x}")
    probe.do(f"attach ivshmem {probe.ioas}")


def test_a_dma_buf_opened_for_reading_is_written_to(probe: Probe) -> None:
    """iommufd does not look at how it was opened: what must not be written is to be mapped so."""
    probe.attach_edu()
    probe.open_ivshmem()
    probe.do(f"export buffer ivshmem {BAR} 0 0 {PAGE:#x}")
    probe.do(probe.map_file())
    assert probe.bytes_land()
    probe.do(f"unmap iommu {probe.ioas} {BAR_IOVA:#x} {PAGE:#x}")
    probe.do(f"map-file iommu {probe.ioas} buffer 0 {PAGE:#x} {BAR_IOVA:#x} {FIXED | READABLE}")
    assert probe.is_stopped()


@pytest.mark.kernels("newest", "built")
def test_a_function_that_was_opened_by_its_group_exports_too(probe: Probe) -> None:
    """What the back end `dma-buf` does where there is no iommufd."""
    probe.do(f"open-by-group ivshmem {probe.group(probe.ivshmem)} {probe.ivshmem}")
    probe.export()
    assert probe.errno(f"mmap buffer {PAGE:#x}") == "EINVAL", "it is not for the CPU"


def test_so_does_its_dma_buf_in_the_initiators_iommufd(probe: Probe) -> None:
    probe.attach_edu()
    probe.do(f"open-by-group ivshmem {probe.group(probe.ivshmem)} {probe.ivshmem}")
    probe.export()
    probe.do(probe.map_file())
    assert probe.bytes_land()
    probe.do("close ivshmem")
    assert probe.is_stopped()
