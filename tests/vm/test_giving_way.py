# SPDX-License-Identifier: LGPL-2.1-or-later
"""A lent initiator that must go: its client is told, closes the device in time or is killed, and nobody else is."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from client import Client, wait_until_nothing_is_held
from lab import Machine

pytestmark = pytest.mark.kernels("debian", "built")

NOTICE = 2.0  # seconds that the client has
THEN = 8.0  # until everything is done, on an emulated machine


@dataclass
class Lent:
    """edu is lent to one client; another one holds another edu, and is to notice nothing of all this."""

    guest: Machine
    edu: str
    client: Client
    pid: int
    bystander: Client

    def driver(self) -> str:
        return self.guest.run(f"basename $(readlink /sys/bus/pci/devices/{self.edu}/driver)", check=False).text.strip()

    def is_alive(self, pid: int) -> bool:
        """A zombie that its parent has not seen yet is not."""
        state = self.guest.run(f"sed -n 's/^State:[[:space:]]*//p' /proc/{pid}/status", check=False).text
        return state != "" and not state.startswith(("Z", "X"))

    def assert_untouched(self) -> None:
        assert self.bystander.do("notice 100") == {}, "it heard nothing"


@pytest.fixture
def lent(guest: Machine, edu: str) -> Iterator[Lent]:
    other = guest.address("plain_edu")
    for initiator in edu, other:
        guest.run(f"p2p-client bind {initiator} && p2p-client offer {initiator} --group p2p")
    client, bystander = Client(guest), Client(guest)
    pid = int(client.do(f"acquire {edu}")["pid"])
    bystander.do(f"acquire {other}")
    lent = Lent(guest, edu, client, pid, bystander)
    yield lent
    lent.assert_untouched()
    guest.run("pkill -KILL dma-probe", check=False)
    wait_until_nothing_is_held(guest)
    guest.run(f"p2p-client withdraw {other} && p2p-client unbind {other}")
    guest.run(f"p2p-client withdraw {edu}")


def test_a_client_that_ignores_its_notices_is_killed(lent: Lent) -> None:
    started = time.monotonic()
    lent.guest.run(f"p2p-client unbind {lent.edu} --force", timeout=60)
    took = time.monotonic() - started
    assert NOTICE <= took < NOTICE + THEN
    assert not lent.is_alive(lent.pid)
    assert lent.driver() != "vfio-pci"
    journal = lent.guest.run("journalctl -u p2pd.service P2P_EVENT=killed -o cat").text
    assert f"pid {lent.pid}" in journal


def test_a_client_that_closes_in_time_lives(lent: Lent) -> None:
    unbinding = lent.guest.start(f"p2p-client unbind {lent.edu} --force")
    notice = lent.client.do("notice 5000")
    assert (notice["event"], notice["reason"], notice["deadline_ms"]) == ("revoking", "device-wanted", "2000")
    lent.client.do("close-device")
    lent.client.do("release")
    assert unbinding.wait(30.0).status == 0
    assert lent.is_alive(lent.pid)
    assert lent.driver() != "vfio-pci"


def test_a_copy_in_another_process_is_named(lent: Lent) -> None:
    holder = lent.client.fork_holder()
    refused = lent.guest.run(f"p2p-client unbind {lent.edu} --force", check=False, timeout=60)
    assert refused.status == 1 and "(dma-probe), uid" in refused.error_text
    assert not lent.is_alive(lent.pid)
    copy = int(refused.error_text.split("pid ", 1)[1].split(" ", 1)[0])
    assert copy != lent.pid and lent.is_alive(copy)
    assert lent.driver() == "vfio-pci", "the kernel was not asked: it would wait"

    holder.do("close-device")
    lent.guest.run(f"p2p-client unbind {lent.edu} --force", timeout=60)
    assert lent.driver() != "vfio-pci"


def test_whoever_unbinds_by_hand_waits_for_no_client(lent: Lent) -> None:
    unbinding = lent.guest.start(f"echo {lent.edu} >/sys/bus/pci/drivers/vfio-pci/unbind")
    notice = lent.client.do("notice 10000")
    assert (notice["event"], notice["reason"]) == ("revoking", "device-wanted")
    # What it reads of the function meanwhile keeps p2pd from nothing.
    lent.guest.run("systemctl reload p2pd.service && p2p-client list", timeout=10)
    assert unbinding.wait(NOTICE + THEN).status == 0
    assert not lent.is_alive(lent.pid)


def test_a_withdrawal_by_force_takes_the_device_too(lent: Lent) -> None:
    lent.guest.run(f"p2p-client withdraw {lent.edu} --force", timeout=60)
    assert not lent.is_alive(lent.pid)
    lent.guest.run(f"p2p-client offer {lent.edu} --group p2p")
    Client(lent.guest).do(f"acquire {lent.edu}")
