# SPDX-License-Identifier: LGPL-2.1-or-later
"""Functions that are plugged and unplugged while the guest runs."""

from lab import LabError, Machine


def plug(guest: Machine, driver: str, name: str, bus: str, **properties: object) -> str:
    """Returns the address, which QEMU knows before the guest does."""
    guest.qmp("device_add", driver=driver, id=name, bus=bus, **properties)
    return guest.address(name)


def wait_for(guest: Machine, address: str) -> None:
    guest.run(f"udevadm wait --timeout=20 /sys/bus/pci/devices/{address}")


def unplug(guest: Machine, name: str) -> None:
    """What the guest has not seen yet can not be unplugged."""
    wait_for(guest, guest.address(name))
    guest.qmp("device_del", id=name)
    guest.qmp_channel.wait_for_event("DEVICE_DELETED", device=name)


def is_plugged(guest: Machine, name: str) -> bool:
    try:
        guest.address(name)
    except LabError:
        return False
    return True


def plug_target(guest: Machine, bus: str, size: int = 1 << 20) -> str:
    """An ivshmem whose memory the host sees as `guest.memory("leaver")`."""
    memory = {"id": "leaver_memory", "size": size, "mem-path": "leaver.memory", "share": True}
    guest.qmp("object-add", **{"qom-type": "memory-backend-file"}, **memory)
    address = plug(guest, "ivshmem-plain", "leaver", bus, memdev="leaver_memory")
    wait_for(guest, address)
    return address


def unplug_target(guest: Machine) -> None:
    """With its memory: QEMU 7.2 aborts when a second device is to use it."""
    if is_plugged(guest, "leaver"):
        unplug(guest, "leaver")
    guest.qmp("object-del", id="leaver_memory")
    guest.forget_memory("leaver")
