# SPDX-License-Identifier: LGPL-2.1-or-later
"""The laboratory itself: what other tests take for granted is shown here, without p2pd."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import lab
import pytest
from lab import CommandFailed, LabError, Machine

pytestmark = pytest.mark.laboratory

ACS_REDIRECT = 0x1D  # source validation, request and completion redirect, upstream forwarding


def parent(machine: Machine, address: str) -> str:
    """The function above."""
    path = machine.run(f"readlink -f /sys/bus/pci/devices/{address}").text.strip()
    return path.split("/")[-2]


def acs_control(machine: Machine, address: str) -> int | None:
    """The ACS control register, None where there is no such capability."""
    done = machine.run(f"setpci -s {address} ECAP_ACS+6.w", check=False)
    return int(done.text, 16) if done.status == 0 else None


def group(machine: Machine, address: str) -> str:
    return machine.run(f"readlink -f /sys/bus/pci/devices/{address}/iommu_group").text.strip()


def test_edu_is_an_initiator_with_its_registers_in_bar_0(machine: Machine, edu: str) -> None:
    assert [(index, size) for index, (_, size) in machine.bars(edu).items()] == [(0, 1 << 20)]


def test_ivshmem_is_a_target_with_its_memory_in_bar_2(machine: Machine, ivshmem: str) -> None:
    assert machine.bars(ivshmem)[2][1] == 1 << 20


def test_the_host_sees_what_the_guest_writes_into_the_bar(machine: Machine, ivshmem: str) -> None:
    machine.write_memory("ivshmem", b"\0" * 16)
    machine.run(
        "printf 1 >/sys/bus/pci/devices/$0/enable && python3 -c '"
        "import mmap,sys; f=open(sys.argv[1],\"r+b\"); mmap.mmap(f.fileno(),4096)[:5]=b\"hello\"'"
        " /sys/bus/pci/devices/$0/resource2; printf 0 >/sys/bus/pci/devices/$0/enable".replace("$0", ivshmem)
    )
    assert machine.memory("ivshmem")[:16] == b"hello" + b"\0" * 11


@pytest.mark.parametrize("name", ["edu", "ivshmem"])
def test_ports_of_the_switch_redirect_once_the_iommu_is_on(machine: Machine, name: str) -> None:
    port = parent(machine, machine.address(name))
    assert acs_control(machine, port) == ACS_REDIRECT


def test_initiator_and_target_sit_behind_one_switch(machine: Machine, edu: str, ivshmem: str) -> None:
    upstream = {parent(machine, parent(machine, address)) for address in (edu, ivshmem)}
    assert upstream == {machine.address("switch")}


@pytest.mark.parametrize("name", ["plain_edu", "plain_ivshmem"])
def test_ports_of_the_plain_switch_have_no_acs(machine: Machine, name: str) -> None:
    assert acs_control(machine, parent(machine, machine.address(name))) is None


def test_functions_behind_the_switch_have_groups_of_their_own(machine: Machine, edu: str, ivshmem: str) -> None:
    assert group(machine, edu) != group(machine, ivshmem)


def test_two_functions_of_one_endpoint_share_a_group(machine: Machine) -> None:
    assert group(machine, machine.address("twin_edu")) == group(machine, machine.address("twin_ivshmem"))


def test_nvme_has_a_controller_memory_buffer(machine: Machine) -> None:
    assert 16 << 20 in [size for _, size in machine.bars(machine.address("nvme")).values()]


def test_the_iommu_translates_by_default(machine: Machine, edu: str) -> None:
    kind = machine.run(f"cat {group(machine, edu)}/type").text.strip()
    assert kind.startswith("DMA")


@contextlib.contextmanager
def on_vfio(machine: Machine, *addresses: str) -> Iterator[list[str]]:
    """Hands functions to vfio-pci for a while; yields the numbers of their groups."""
    machine.run("modprobe vfio-pci")
    bus = "/sys/bus/pci"
    try:
        for address in addresses:
            machine.run(f"echo vfio-pci >{bus}/devices/{address}/driver_override && echo {address} >{bus}/drivers_probe")
        yield [group(machine, address).rsplit("/", 1)[1] for address in addresses]
    finally:
        for address in addresses:
            device = f"{bus}/devices/{address}"
            machine.run(f"echo {address} >{device}/driver/unbind; echo >{device}/driver_override", check=False)


def test_an_unprivileged_user_can_not_open_a_vfio_group(machine: Machine, edu: str) -> None:
    with on_vfio(machine, edu) as [number]:
        node = f"/dev/vfio/{number}"
        assert machine.run(f"exec 3<>{node}", check=False).status == 0
        refused = machine.run(f"exec 3<>{node}", user="alice", check=False)
        assert refused.status != 0 and "Permission denied" in refused.error_text


def test_a_dma_lands_while_it_is_mapped_and_faults_afterwards(machine: Machine, edu: str, ivshmem: str) -> None:
    """The ground that p2pd stands on: when this fails, it is not p2pd's doing."""
    machine.put("/run/bare_dma.py", (Path(lab.__file__).parent / "guest" / "bare_dma.py").read_bytes())
    with on_vfio(machine, edu, ivshmem) as [edu_group, ivshmem_group]:
        helper = machine.start(["python3", "/run/bare_dma.py", edu, edu_group, ivshmem, ivshmem_group])
        try:
            helper.ask("dma 65")
            assert machine.memory("ivshmem")[:2049] == b"A" * 2048 + b"\0"
            assert machine.dmar_faults(edu) == []
            helper.ask("unmap")
            helper.ask("dma 66")
            assert machine.memory("ivshmem")[:2048] == b"A" * 2048
            assert machine.dmar_faults(edu) == [0x100000]
        finally:
            helper.close_stdin()
            helper.wait()


def test_a_device_can_be_plugged_and_unplugged(machine: Machine) -> None:
    machine.qmp("device_add", driver="edu", id="visitor", bus="spare_root")
    try:
        address = machine.address("visitor")
        machine.run(f"udevadm wait --timeout=20 /sys/bus/pci/devices/{address}")
    finally:
        machine.qmp("device_del", id="visitor")
        machine.qmp_channel.wait_for_event("DEVICE_DELETED", device="visitor")
    with pytest.raises(LabError):
        machine.address("visitor")


# --- the way into the guest


def test_status_and_bytes_come_back_exactly(machine: Machine) -> None:
    everything = bytes(range(256)) * 512
    result = machine.run("cat; echo complaint >&2; exit 77", stdin=everything, check=False)
    assert (result.status, result.stdout, result.stderr) == (77, everything, b"complaint\n")


def test_a_signal_is_a_negative_status(machine: Machine) -> None:
    assert machine.run("kill -KILL $$", check=False).status == -9


def test_a_failing_command_raises_unless_told_otherwise(machine: Machine) -> None:
    with pytest.raises(CommandFailed):
        machine.run("false")


def test_commands_run_as_the_user_that_is_named(machine: Machine) -> None:
    name, *groups = machine.run("id -un; id -Gn", user="alice").text.split()
    assert name == "alice" and "alice" in groups and "root" not in groups


def test_commands_run_side_by_side(machine: Machine) -> None:
    helper = machine.start('while read -r word; do echo "got $word"; done')
    assert helper.ask("one") == "got one"
    assert machine.run("echo meanwhile").text == "meanwhile\n"
    assert helper.ask("two") == "got two"
    helper.close_stdin()
    assert helper.wait().status == 0


def test_a_command_that_takes_too_long_is_killed(machine: Machine) -> None:
    with pytest.raises(LabError, match="did not end"):
        machine.run("echo $$ >/run/sleeper; exec sleep 600", timeout=2)
    machine.run("pid=$(cat /run/sleeper); while kill -0 $pid 2>/dev/null; do sleep 0.1; done", timeout=20)


def test_the_guest_holds_nothing_of_the_machine_that_made_it(machine: Machine) -> None:
    files = "/etc/apt/sources.list /etc/apt/sources.list.d/* /etc/apt/auth.conf* /etc/resolv.conf"
    assert machine.run(f"cat {files}", check=False).stdout == b""
    assert "Proxy" not in machine.run("apt-config dump").text
