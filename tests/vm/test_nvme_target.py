# SPDX-License-Identifier: LGPL-2.1-or-later
"""An NVMe controller as target: memory (its CMB) in one BAR, registers with the MSI-X table in another, and a real FLR.

The host reads the CMB through QEMU, as a processor would: no file is behind it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from client import Client, Refused, wait_until_nothing_is_held
from lab import Machine
from pair import Pair

PAGE = 4096
CMB_SIZE = 16 << 20
LENGTH = 2048  # what edu moves


@dataclass
class Controller:
    """On vfio-pci."""

    guest: Machine
    address: str

    def enable(self, bar: int, offset: int = 0, length: int = 0, *options: str) -> str:
        """Returns what was said against it."""
        part = f":{offset:#x}+{length:#x}" if length else ""
        done = self.guest.run(f"p2p-client enable {self.address}:{bar}{part} {' '.join(options)}", check=False)
        assert done.status in (0, 1)
        return done.error_text if done.status else ""

    def disable(self, bar: int, offset: int = 0, length: int = 0) -> None:
        part = f":{offset:#x}+{length:#x}" if length else ""
        self.guest.run(f"p2p-client disable {self.address}:{bar}{part}")


@pytest.fixture
def controller(guest: Machine) -> Iterator[Controller]:
    address = guest.address("nvme")
    guest.run(f"p2p-client bind {address}")
    yield Controller(guest, address)
    guest.run("pkill -KILL dma-probe", check=False)
    wait_until_nothing_is_held(guest)
    guest.run(f"p2p-client unbind {address} --force")


@pytest.fixture
def pair(controller: Controller, edu: str, back_end: str) -> Pair:
    """Bytes of edu's have landed in the CMB."""
    guest = controller.guest
    bar, begin = next((bar, begin) for bar, (begin, size) in guest.bars(controller.address).items() if size == CMB_SIZE)
    assert bar == 2, "what Pair maps"
    assert controller.enable(bar) == ""
    guest.run(f"p2p-client bind {edu} && p2p-client offer {edu} --group p2p")
    return Pair(guest, edu, controller.address, lambda: guest.physical_memory(begin, LENGTH), back_end)


@pytest.mark.kernels("debian", "built")
@pytest.mark.shows("reset")
def test_flr_takes_the_memory_away_first(pair: Pair, controller: Controller) -> None:
    guest = pair.guest
    methods = guest.run(f"cat /sys/bus/pci/devices/{controller.address}/reset_method").text.split()
    assert methods[0] == "flr", "the kernel's first choice"
    refused = guest.run(f"p2p-client reset {controller.address}", check=False)
    assert refused.status == 1 and pair.mapping["mapping"].rsplit("/", 1)[1] in refused.error_text
    pair.arm()
    guest.run(f"p2p-client reset {controller.address} --force")
    notice = pair.client.do("notice")
    assert (notice["event"], notice["reason"]) == ("revoked", "device-reset")
    pair.assert_stopped()

    again = pair.client.do(f"map {controller.address}:2")
    assert again["cookie"] == pair.mapping["cookie"], "p2pd kept the address space"
    pair.assert_lands(pair.holder, "again ")


def msix_pages(guest: Machine, address: str) -> dict[str, tuple[int, int]]:
    """BAR and offset of the table and of the pending bits, as lspci reads them."""
    listed = guest.run(f"lspci -vv -s {address}").text
    found = dict(re.findall(r"(Vector table|PBA): (BAR=\d+ offset=[0-9a-f]+)", listed))
    pages = {}
    for name, place in found.items():
        bar, offset = re.fullmatch(r"BAR=(\d+) offset=([0-9a-f]+)", place).groups()  # type: ignore[union-attr]
        pages[name] = int(bar), int(offset, 16) // PAGE * PAGE
    assert set(pages) == {"Vector table", "PBA"}, listed
    return pages


@pytest.mark.kernels("debian")
def test_pages_of_msix_are_no_target_unless_forced(controller: Controller, edu: str) -> None:
    guest, address = controller.guest, controller.address
    pages = msix_pages(guest, address)
    bar = pages["PBA"][0]
    holding = sorted({offset for at, offset in pages.values() if at == bar})
    size = guest.bars(address)[bar][1]
    free = next(offset for offset in range(0, size, PAGE) if offset not in holding)

    for offset, length in [(0, 0), *((offset, PAGE) for offset in holding), (0, holding[0] + PAGE), (holding[-1], size - holding[-1])]:
        assert "[holds-msix]" in controller.enable(bar, offset, length)
        part = f":{offset:#x}+{length:#x}" if length else ""
        checked = guest.run(f"p2p-client check --json {edu} {address}:{bar}{part}", check=False).text
        assert '"holds-msix"' in checked

    # Its neighbour is one, and no way leads from there to what was not enabled.
    assert controller.enable(bar, free, PAGE) == ""
    guest.run(f"p2p-client bind {edu} && p2p-client offer {edu} --group p2p")
    client = Client(guest)
    client.do(f"acquire {edu} 28")
    client.do(f"map {address}:{bar}:{free:#x}+{PAGE:#x}")
    client.do("unmap")
    for offset in holding:
        with pytest.raises(Refused) as refusal:
            client.do(f"map {address}:{bar}:{offset:#x}+{PAGE:#x}")
        assert refusal.value.name == "org.p2pd1.Error.NotEnabled"
    client.kill()
    wait_until_nothing_is_held(guest)
    controller.disable(bar, free, PAGE)

    assert controller.enable(bar, holding[0], PAGE, "--force") == ""
    controller.disable(bar, holding[0], PAGE)
