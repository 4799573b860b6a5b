# SPDX-License-Identifier: LGPL-2.1-or-later
"""Devices come, go and change drivers while p2pd looks on; what was granted from a target that leaves ends at once.

The kernels differ in how devices are plugged, too: on one the ports do it (pciehp), on the other ACPI does.
"""

import json
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from client import Refused, grants, wait_until_nothing_is_held
from lab import Machine
from pair import Pair, make_ready
from plugging import is_plugged, plug, plug_target, unplug, unplug_target
from watching import Watching

log = logging.getLogger("lab")

FOLLOWS = 1.0  # seconds from the kernel's event to what p2pd tells
GIVES_WAY = 2.0  # seconds from the kernel's request to the end of the last mapping
SPARE_PORTS = ["spare_root", "switch_spare"]


@pytest.fixture
def watching(guest: Machine) -> Iterator[Watching]:
    with Watching(guest, toggled=guest.address("twin_edu")) as both:
        yield both


@contextmanager
def visitor(guest: Machine, bus: str = "spare_root") -> Iterator[str]:
    """An edu that leaves in the end, if it did not before."""
    address = plug(guest, "edu", "visitor", bus)
    try:
        yield address
    finally:
        if is_plugged(guest, "visitor"):
            unplug(guest, "visitor")


@dataclass
class Leaving:
    """A pair whose target is about to leave, and where that is plugged."""

    pair: Pair
    target: str
    bus: str


@pytest.fixture
def leaving(
    guest: Machine, watching: Watching, edu: str, back_end: str, request: pytest.FixtureRequest
) -> Iterator[Leaving]:
    bus = getattr(request, "param", "spare_root")
    address = plug_target(guest, bus)
    try:
        make_ready(guest, edu, address)
        pair = Pair(guest, edu, address, "leaver", back_end)
        pair.arm()
        yield Leaving(pair, address, bus)
    finally:
        guest.run("pkill -KILL dma-probe", check=False)
        wait_until_nothing_is_held(guest)
        guest.run("echo 1 >/sys/bus/pci/rescan")
        unplug_target(guest)


def shown(guest: Machine, address: str) -> dict[str, object]:
    listed = json.loads(guest.run(f"p2p-client show {address} --json").text)["functions"]
    assert len(listed) == 1
    return dict(listed[0])


def assert_follows(what: str, kernel: float, told: float) -> None:
    log.info("%s: told %.0f ms after the kernel's event", what, (told - kernel) * 1000)
    assert told - kernel < FOLLOWS


@pytest.mark.parametrize("bus", SPARE_PORTS)
def test_objects_follow_what_is_plugged_and_unplugged(guest: Machine, watching: Watching, bus: str) -> None:
    with visitor(guest, bus) as address:
        watching.uevent("add", address)  # the first one costs udevd what it has to read from the disk
        watching.told("added", address)
    watching.uevent("remove", address)
    watching.told("removed", address)
    with visitor(guest, bus) as address:
        kernel = watching.uevent("add", address)
        told, change = watching.told("added", address)
        assert (change["after"]["vendor"], change["after"]["device"]) == ("1234", "11e8")
        assert_follows(f"added at {bus}", kernel, told)

        unplug(guest, "visitor")
        kernel = watching.uevent("remove", address)
        told, _ = watching.told("removed", address)
        assert_follows(f"removed at {bus}", kernel, told)
        assert guest.run(f"p2p-client show {address}", check=False).status == 1


def test_a_new_function_is_found_as_soon_as_the_kernel_has_it(guest: Machine) -> None:
    """Before udevd is done with it: who asks for it is not told that it is not there."""
    with visitor(guest) as address:
        unplug(guest, "visitor")
        assert guest.run(f"p2p-client show {address}", check=False).status == 1
        looking = guest.start(
            "udevadm monitor --kernel --subsystem-match=pci | while read -r line; do case $line in"
            f" 'KERNEL - '*) echo listening;; *' add '*/{address}' (pci)') p2p-client show {address} --json | tr -d '\\n';"
            " echo; esac; done"
        )
        assert looking.read_line() == "listening"
        plug(guest, "edu", "visitor", "spare_root")
        found = json.loads(looking.read_line())["functions"]
        looking.kill()
        assert [function["address"] for function in found] == [address]


def test_drivers_that_are_changed_by_hand_are_changes(guest: Machine, watching: Watching) -> None:
    with visitor(guest) as address:
        watching.told("added", address)
        sysfs = f"/sys/bus/pci/devices/{address}"
        guest.run(f"modprobe vfio-pci; echo vfio-pci >{sysfs}/driver_override; echo {address} >/sys/bus/pci/drivers_probe")
        kernel = watching.uevent("bind", address)
        told, change = watching.told("changed", address)
        assert (change["before"]["driver"], change["after"]["driver"]) == (None, "vfio-pci")
        assert_follows("bound", kernel, told)

        guest.run(f"echo {address} >{sysfs}/driver/unbind")
        kernel = watching.uevent("unbind", address)
        told, change = watching.told("changed", address)
        assert (change["before"]["driver"], change["after"]["driver"]) == ("vfio-pci", None)
        assert_follows("unbound", kernel, told)


def test_an_offered_initiator_that_leaves_takes_its_offer_with_it(guest: Machine, watching: Watching) -> None:
    with visitor(guest) as address:
        watching.told("added", address)
        guest.run(f"p2p-client bind {address} && p2p-client offer {address} --group p2p")
        assert shown(guest, address)["offered"] is True

        unplug(guest, "visitor")
        watching.told("removed", address)
        plug(guest, "edu", "visitor", "spare_root")
        watching.told("added", address)
        assert shown(guest, address)["offered"] is False, "an offer is for a device, not for its slot"


def assert_gave_way(leaving: Leaving, watching: Watching) -> None:
    """Told, unmapped in time, refused from then on; and the same DMA changes nothing."""
    pair, reason = leaving.pair, "device-wanted"
    path = pair.mapping["mapping"]
    told, change = watching.told("revoked", path)
    assert change["reason"] == reason
    unmapped, _ = watching.told("removed", path)
    with pytest.raises(Refused) as refusal:
        pair.client.do(f"map {leaving.target}:2")
    assert refusal.value.name in ("org.p2pd1.Error.NotEnabled", "org.p2pd1.Error.NotFound")
    notice = pair.client.do("notice")
    assert (notice["event"], notice["grant"], notice["reason"]) == ("revoked", path, reason)
    pair.assert_stopped()

    since = watching.request(leaving.target)
    log.info("gave way: told after %.0f ms, unmapped after %.0f ms", (told - since) * 1000, (unmapped - since) * 1000)
    assert unmapped - since < GIVES_WAY
    held = grants(pair.guest)
    assert len(held["holdings"]) == 1, "the initiator is still lent"
    assert not any(mapping["target"] for mapping in held["mappings"])


def assert_enabled_anew(leaving: Leaving) -> None:
    """Back in its place it is no target, until somebody enables it."""
    guest, edu = leaving.pair.guest, leaving.pair.edu
    assert shown(guest, leaving.target)["targets"] == []
    with pytest.raises(Refused) as refusal:
        leaving.pair.client.do(f"map {leaving.target}:2")
    assert refusal.value.name == "org.p2pd1.Error.NotEnabled"
    guest.run("pkill -KILL dma-probe")
    wait_until_nothing_is_held(guest)
    make_ready(guest, edu, leaving.target)
    Pair(guest, edu, leaving.target, "leaver")


@pytest.mark.kernels("debian", "newest", "built")
@pytest.mark.shows("unplug")
@pytest.mark.parametrize("leaving", SPARE_PORTS, indirect=True)
def test_a_target_that_is_unplugged_gives_way(leaving: Leaving, watching: Watching) -> None:
    guest = leaving.pair.guest
    guest.run("dmesg --clear")
    guest.qmp("device_del", id="leaver")
    assert_gave_way(leaving, watching)
    guest.qmp_channel.wait_for_event("DEVICE_DELETED", device="leaver")
    watching.told("removed", leaving.target)
    refused = guest.run(f"p2p-client enable {leaving.target}:2", check=False)
    assert refused.status == 1 and "there is no PCI function" in refused.error_text

    guest.qmp("object-del", id="leaver_memory")
    assert plug_target(guest, leaving.bus) == leaving.target
    watching.told("added", leaving.target)
    assert_enabled_anew(leaving)


@pytest.mark.kernels("debian", "newest", "built")
@pytest.mark.shows("unbind")
def test_a_target_that_is_unbound_by_hand_gives_way(leaving: Leaving, watching: Watching) -> None:
    guest = leaving.pair.guest
    guest.run("dmesg --clear")
    started = time.monotonic()
    guest.run(f"echo {leaving.target} >/sys/bus/pci/drivers/vfio-pci/unbind", timeout=30)
    took = time.monotonic() - started
    log.info("unbind took %.0f ms", took * 1000)
    assert took < GIVES_WAY + 1
    assert_gave_way(leaving, watching)
    refused = guest.run(f"p2p-client enable {leaving.target}:2", check=False)
    assert refused.status == 1 and "[target-not-on-vfio-pci]" in refused.error_text

    guest.run(f"echo {leaving.target} >/sys/bus/pci/drivers_probe")
    assert_enabled_anew(leaving)


def test_a_target_that_is_removed_gives_way(leaving: Leaving, watching: Watching) -> None:
    """Without a word to anybody before: the kernel takes the device out of its tree."""
    guest = leaving.pair.guest
    guest.run("dmesg --clear")
    guest.run(f"echo 1 >/sys/bus/pci/devices/{leaving.target}/remove", timeout=30)
    assert_gave_way(leaving, watching)
    watching.told("removed", leaving.target)

    guest.run("echo 1 >/sys/bus/pci/rescan")
    watching.told("added", leaving.target)
    assert_enabled_anew(leaving)
