# SPDX-License-Identifier: LGPL-2.1-or-later
"""Which devices a machine has, and where they sit.

Slots are drawn anew for each boot: nothing that is tested may come to rely on
an address. The seed is printed, and the same seed gives the same machine.

A switch is a `x3130-upstream` port with downstream ports below it. Below
`xio3130-downstream` ports there is no ACS; a `pcie-root-port` in their place
works just as well and has it, which makes the commonest real switch.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field

ROOT_BUS = "pcie.0"


@dataclass
class Layout:
    """Devices in the order in which QEMU is to create them."""

    seed: int
    devices: list[tuple[str, dict[str, object]]] = field(default_factory=list)
    memories: dict[str, int] = field(default_factory=dict)
    disks: dict[str, int] = field(default_factory=dict)
    # What the hypervisor tells the guest, by name: fw_cfg.
    firmware_files: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self._slots: dict[str, list[int]] = {}
        self._chassis = 0

    def add(self, driver: str, **properties: object) -> str:
        """Any device; returns its id."""
        self.devices.append((driver, properties))
        return str(properties["id"])

    def draw_slot(self, bus: str) -> str:
        """A slot of a bus with many: the root complex, or the inside of a switch."""
        if bus not in self._slots:
            # On the root bus 0 is the host bridge and 0x1f the chipset's.
            slots = list(range(1, 0x1F)) if bus == ROOT_BUS else list(range(0x20))
            self._random.shuffle(slots)
            self._slots[bus] = slots
        return f"{self._slots[bus].pop():#x}"

    def port_with_acs(self, name: str, bus: str = ROOT_BUS, **properties: object) -> str:
        """A root port, or a downstream port that has ACS."""
        return self._port("pcie-root-port", name, bus, **properties)

    def intel_port(self, name: str, bus: str) -> str:
        """A root port with ACS and another vendor's id."""
        return self._port("ioh3420", name, bus)

    def port_without_acs(self, name: str, bus: str) -> str:
        return self._port("xio3130-downstream", name, bus)

    def _port(self, driver: str, name: str, bus: str, **properties: object) -> str:
        self._chassis += 1
        number = self._chassis
        return self.add(driver, id=name, bus=bus, addr=self.draw_slot(bus), chassis=number, slot=number, **properties)

    def host_bridge(self, name: str, first_bus: int) -> str:
        """Another one than the root complex' own, with a root bus of that number."""
        return self.add("pxb-pcie", id=name, bus=ROOT_BUS, addr=self.draw_slot(ROOT_BUS), bus_nr=first_bus)

    def switch(self, name: str, port: str | None = None) -> str:
        """A switch's upstream port, below a root port of its own unless told."""
        return self.add("x3130-upstream", id=name, bus=port or self.port_with_acs(f"{name}_root"))

    def edu(self, name: str, bus: str, dma_mask: int | None = None, **properties: object) -> str:
        """An initiator. It reaches 28 bits unless told otherwise."""
        mask: Mapping[str, object] = {} if dma_mask is None else {"dma_mask": dma_mask}
        return self.add("edu", id=name, bus=bus, **mask, **properties)

    def ivshmem(self, name: str, bus: str, size: int = 1 << 20, **properties: object) -> str:
        """A target: BAR 2 is a file of the host."""
        self.memories[name] = size
        return self.add("ivshmem-plain", id=name, bus=bus, memdev=f"{name}_memory", **properties)

    def nvme(self, name: str, bus: str, cmb_mib: int = 16, **properties: object) -> str:
        """A disk with a controller memory buffer."""
        self.disks[name] = 64 << 20
        return self.add(
            "nvme", id=name, bus=bus, drive=f"{name}_disk", serial=name, cmb_size_mb=cmb_mib, **properties
        )


def standard(seed: int) -> Layout:
    """The machine that quickstart shows and most tests use: all topologies in one boot."""
    layout = Layout(seed)

    # An initiator and a target behind a switch whose ports have ACS. `spare` is for plugging.
    switch = layout.switch("switch")
    layout.edu("edu", layout.port_with_acs("switch_down1", switch))
    layout.ivshmem("ivshmem", layout.port_with_acs("switch_down2", switch))
    layout.port_with_acs("switch_spare", switch)

    # The same behind a switch without: its functions reach each other past the IOMMU.
    plain = layout.switch("plain")
    layout.edu("plain_edu", layout.port_without_acs("plain_down1", plain), dma_mask=2**64 - 1)
    layout.ivshmem("plain_ivshmem", layout.port_without_acs("plain_down2", plain))

    # Two functions of one endpoint: one IOMMU group.
    twins = layout.port_with_acs("twins_root")
    layout.ivshmem("twin_ivshmem", twins, addr="0x0.0x0", multifunction="on")
    layout.edu("twin_edu", twins, addr="0x0.0x1")

    # Memory that the kernel could hand out itself, and a real FLR.
    layout.nvme("nvme", layout.port_with_acs("nvme_root"))
    # With room for a large BAR; and what an NVMe controller with virtual functions needs, which can not be plugged.
    layout.port_with_acs("spare_root", **{"pref64-reserve": "256M"})
    layout.add("nvme-subsys", id="subsystem")

    # Another disk, to read from it into that memory.
    layout.nvme("disk", layout.port_with_acs("disk_root"), cmb_mib=0)
    return layout


def oracle(seed: int) -> Layout:
    """Every place that a function can have in a PCI tree, with an NVMe controller there: pairs for the kernel to judge."""
    layout = Layout(seed)

    def disk(name: str, port: str, **properties: object) -> None:
        layout.nvme(name, port, cmb_mib=2, **properties)

    # A switch without ACS, with one more of each kind nested in it.
    plain = layout.switch("plain")
    for name in ("plain_a", "plain_b"):
        disk(name, layout.port_without_acs(f"{name}_port", plain))
    plain_in_plain = layout.switch("plain_in_plain", layout.port_without_acs("plain_in_plain_port", plain))
    for name in ("plain_in_plain_a", "plain_in_plain_b"):
        disk(name, layout.port_without_acs(f"{name}_port", plain_in_plain))
    acs_in_plain = layout.switch("acs_in_plain", layout.port_without_acs("acs_in_plain_port", plain))
    for name in ("acs_in_plain_a", "acs_in_plain_b"):
        disk(name, layout.port_with_acs(f"{name}_port", acs_in_plain))

    # A switch with ACS, and in it one without.
    acs = layout.switch("acs")
    for name in ("acs_a", "acs_b"):
        disk(name, layout.port_with_acs(f"{name}_port", acs))
    plain_in_acs = layout.switch("plain_in_acs", layout.port_with_acs("plain_in_acs_port", acs))
    for name in ("plain_in_acs_a", "plain_in_acs_b"):
        disk(name, layout.port_without_acs(f"{name}_port", plain_in_acs))

    # Root ports, two functions of one endpoint, and one that is part of the root complex.
    for name in ("root_a", "root_b"):
        disk(name, layout.port_with_acs(f"{name}_port"))
    twins = layout.port_with_acs("twins_port")
    disk("twin_a", twins, addr="0x0.0x0", multifunction="on")
    disk("twin_b", twins, addr="0x0.0x1")
    disk("integrated", ROOT_BUS, addr=layout.draw_slot(ROOT_BUS))

    # Host bridges; their first port is what the kernel knows them by.
    second = layout.host_bridge("second", 0x40)
    for name in ("second_a", "second_b"):
        disk(name, layout.port_with_acs(f"{name}_port", second))
    third = layout.host_bridge("third", 0x60)
    disk("third_a", layout.intel_port("third_a_port", third))
    acs_in_third = layout.switch("acs_in_third", layout.intel_port("acs_in_third_port", third))
    for name in ("acs_in_third_a", "acs_in_third_b"):
        disk(name, layout.port_with_acs(f"{name}_port", acs_in_third))
    fourth = layout.host_bridge("fourth", 0x80)
    disk("fourth_a", layout.intel_port("fourth_a_port", fourth))
    return layout
