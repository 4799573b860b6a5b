# SPDX-License-Identifier: LGPL-2.1-or-later
"""An NVMe controller with virtual functions: they have their PF's place, they can be lent and be targets, and it is not lent."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from client import Client, Refused, grants, wait_until_nothing_is_held
from lab import Machine
from plugging import plug, unplug, wait_for

pytestmark = pytest.mark.kernels("debian")

COUNT = 2
PAGE = "0x0+0x1000"  # registers; the MSI-X table comes later


@dataclass
class Physical:
    """A PF on the kernel's own driver, without VFs yet."""

    guest: Machine
    address: str

    def set_count(self, count: int) -> None:
        """No driver takes the VFs: what they need is what a real host would give them first."""
        device = f"/sys/bus/pci/devices/{self.address}"
        self.guest.run(f"echo 0 >{device}/sriov_drivers_autoprobe && echo {count} >{device}/sriov_numvfs")

    def virtual_functions(self) -> list[str]:
        links = self.guest.run(f"cd /sys/bus/pci/devices/{self.address}; for f in virtfn*; do basename $(readlink $f); done")
        return links.text.split()


@pytest.fixture
def physical(guest: Machine) -> Iterator[Physical]:
    # QEMU wants flexible queues and vectors for every VF.
    virtual = {"sriov_max_vfs": COUNT, "sriov_vq_flexible": 2 * COUNT, "sriov_vi_flexible": COUNT}
    virtual |= {"max_ioqpairs": 2 * COUNT + 2, "msix_qsize": COUNT + 3}
    address = plug(guest, "nvme", "pf", "spare_root", subsys="subsystem", serial="pf", **virtual)
    wait_for(guest, address)
    guest.run(f"until [ -e /sys/bus/pci/devices/{address}/driver ]; do sleep 0.2; done", timeout=30)
    found = Physical(guest, address)
    yield found
    guest.run("pkill -KILL dma-probe", check=False)
    wait_until_nothing_is_held(guest)
    found.set_count(0)
    unplug(guest, "pf")


def shown(guest: Machine, address: str) -> dict[str, Any]:
    function, = json.loads(guest.run(f"p2p-client show {address} --json").text)["functions"]
    return dict(function)


def test_virtual_functions_are_where_their_physical_one_is(physical: Physical) -> None:
    guest = physical.guest
    assert shown(guest, physical.address)["virtual_functions"] == []
    physical.set_count(COUNT)
    virtual = physical.virtual_functions()
    assert len(virtual) == COUNT

    listed = {function["address"]: function for function in json.loads(guest.run("p2p-client list --json").text)["functions"]}
    above = listed[physical.address]
    assert above["virtual_functions"] == virtual and above["parent"] == guest.address("spare_root")
    for address in virtual:
        function = listed[address]
        assert (function["physical_function"], function["parent"]) == (physical.address, above["parent"])
        sysfs = guest.bars(address)
        assert {bar["index"]: (int(bar["cpu_address"], 16), bar["size"]) for bar in function["bars"]} == sysfs
    for address in [physical.address, *virtual]:
        assert address in guest.run("p2p-client tree").text

    physical.set_count(0)
    assert shown(guest, physical.address)["virtual_functions"] == []
    assert guest.run(f"p2p-client show {virtual[0]}", check=False).status == 1


def test_a_virtual_function_is_a_target_as_any_other(physical: Physical, edu: str) -> None:
    guest = physical.guest
    physical.set_count(COUNT)
    target, _ = physical.virtual_functions()
    guest.run(f"p2p-client bind {target} && p2p-client enable {target}:0:{PAGE}")
    guest.run(f"p2p-client bind {edu} && p2p-client offer {edu} --group p2p")
    verdict = json.loads(guest.run(f"p2p-client check --json {edu} {target}:0:{PAGE}", check=False).text)
    assert (verdict["possible"], verdict["route"]) == ("yes", "root-complex"), verdict
    client = Client(guest)
    client.do(f"acquire {edu} 28")
    client.do("memory")
    cookie = int(client.do(f"map {target}:0:{PAGE}")["cookie"], 16)
    before = guest.dmar_faults(edu).count(cookie)
    client.do("read")
    assert guest.dmar_faults(edu).count(cookie) == before, "it got there; a VF that nobody switched on answers with zeros"
    client.do("unmap")
    client.do("read")
    assert guest.dmar_faults(edu).count(cookie) > before
    client.kill()
    wait_until_nothing_is_held(guest)
    guest.run(f"p2p-client disable {target}:0:{PAGE} && p2p-client unbind {target}")


def test_a_virtual_function_is_lent_to_root_and_its_physical_one_to_nobody(physical: Physical) -> None:
    guest = physical.guest
    physical_function = physical.address
    # Offered while it had none.
    guest.run(f"p2p-client offer {physical_function} --group p2p")
    physical.set_count(COUNT)
    client = Client(guest)
    with pytest.raises(Refused) as refusal:
        client.do(f"acquire {physical_function}")
    assert "[pf-with-vfs]" in refusal.value.text
    guest.run(f"p2p-client withdraw {physical_function}")
    refused = guest.run(f"p2p-client offer {physical_function}", check=False)
    assert refused.status == 1 and "[pf-with-vfs]" in refused.error_text

    initiator, _ = physical.virtual_functions()
    guest.run(f"p2p-client bind {initiator} && p2p-client offer {initiator} --group p2p")
    assert shown(guest, initiator)["offered"] is True
    # Without ACS it may reach its PF inside of the device, and that has another driver.
    with pytest.raises(Refused) as refusal:
        client.do(f"acquire {initiator}")
    assert "[reach-not-owned]" in refusal.value.text and physical_function in refusal.value.text
    root = Client(guest, user="root")
    with pytest.raises(Refused, match="this function is no edu"):  # it has it, and looked
        root.do(f"acquire {initiator}")
    assert [holding["initiator"] for holding in grants(guest)["holdings"]] == [initiator]
    root.kill()
    wait_until_nothing_is_held(guest)
    guest.run(f"p2p-client withdraw {initiator} && p2p-client unbind {initiator}")
