# SPDX-License-Identifier: LGPL-2.1-or-later
"""Memory that a driver of the kernel registered: an unprivileged program has one disk write straight into another's."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from client import grants, wait_until_nothing_is_held
from lab import Machine

pytestmark = pytest.mark.kernels("newest")

READ = "/usr/lib/p2pd/examples/peer-memory-read"
RULE = "/etc/polkit-1/rules.d/10-peer-memory.rules"
READABLE = "/etc/udev/rules.d/99-readable.rules"
NVME = "/sys/bus/pci/drivers/nvme"
LENGTH = 65536

POOL = "/sys/bus/pci/devices/{}/p2pmem"


@dataclass
class Pool:
    """The memory of one disk, and another disk to read from, which alice and bob may read."""

    guest: Machine
    address: str
    disk: str

    @property
    def target(self) -> str:
        return f"{self.address}:2"

    @property
    def read(self) -> list[str]:
        return [READ, self.target, self.disk, "--length", str(LENGTH)]

    def available(self) -> int:
        return int(self.guest.run(f"cat {POOL.format(self.address)}/available").text)

    def rebind(self) -> None:
        self.guest.run(f"echo {self.address} >{NVME}/unbind && echo {self.address} >{NVME}/bind && udevadm settle")


@pytest.fixture
def pool(guest: Machine) -> Iterator[Pool]:
    address, other = guest.address("nvme"), guest.address("disk")
    guest.run("modprobe nvme && udevadm settle")
    for function in (address, other):
        # A test of something else may have had it on vfio-pci.
        guest.run(f"p2p-client unbind {function}", check=False)
    disk = "/dev/" + guest.run(f"basename /sys/bus/pci/devices/{other}/nvme/nvme*/nvme*n1").text.strip()
    guest.put("/tmp/content", os.urandom(LENGTH))
    # A rule, because udev sets the mode anew after each writer.
    guest.put(READABLE, 'KERNEL=="nvme*n1", MODE="0644"\n')
    guest.run(f"udevadm control --reload && dd if=/tmp/content of={disk} conv=fsync status=none")
    guest.run(f"udevadm trigger --settle --name-match={disk}")
    guest.put(
        RULE,
        'polkit.addRule(function(action, subject) { if (action.id == "org.p2pd1.allocate-peer-memory" &&'
        ' (subject.user == "alice" || subject.user == "bob")) return polkit.Result.YES; });\n',
    )
    guest.run("systemctl restart polkit.service")
    made = Pool(guest, address, disk)
    made.rebind()
    guest.run(f"p2p-client enable {made.target}")
    yield made
    guest.run("pkill -KILL peer-memory-rea", check=False)
    guest.run(f"rm -f {RULE} {READABLE}; udevadm control --reload; p2p-client disable --force {made.target}", check=False)
    wait_until_nothing_is_held(guest)


def test_it_is_told_as_a_back_end(pool: Pool) -> None:
    about = json.loads(pool.guest.run("p2p-client version --json").text)["daemon"]
    assert about["backends"][-1] == "p2pmem"


def test_bytes_go_from_disk_to_disk_and_the_next_user_finds_zeros(pool: Pool) -> None:
    for _ in range(2):
        shown = pool.guest.run(pool.read, user="alice", timeout=120).text
        assert f"compared {LENGTH} bytes: equal" in shown
        assert "it holds zeros" in shown, "the second time too, where the first had left the disk's bytes"
        assert "released" in shown
    assert grants(pool.guest)["mappings"] == []


def test_without_p2pd_the_predecessors_bytes_are_there(pool: Pool) -> None:
    """What the zeros above are worth."""
    pool.guest.run(pool.read, user="alice", timeout=120)
    left = pool.guest.run(
        ["python3", "-c", "import mmap, os, sys; memory = mmap.mmap(os.open(sys.argv[1], os.O_RDWR), int(sys.argv[2]));"
         " sys.stdout.buffer.write(memory[:])", f"{POOL.format(pool.address)}/allocate", str(LENGTH)]
    )  # fmt: skip
    assert left.stdout == pool.guest.get("/tmp/content")


def test_it_is_for_one_at_a_time_and_no_other_user(pool: Pool) -> None:
    holder = pool.guest.start([*pool.read, "--wait"], user="alice")
    while "compared" not in holder.read_line(60.0):
        pass
    (mapping,) = grants(pool.guest)["mappings"]
    assert mapping["kind"] == "peer-memory" and mapping["length"] == LENGTH and mapping["cookie"] is None
    refused = pool.guest.run(pool.read, user="alice", check=False)
    assert refused.status == 1 and "exclusive" in refused.error_text

    holder.signal(9)
    holder.wait(30.0)
    wait_until_nothing_is_held(pool.guest)
    refused = pool.guest.run(pool.read, user="bob", check=False)
    assert refused.status == 1 and "another user" in refused.error_text
    pool.guest.run("systemctl restart p2pd.service")
    pool.guest.run(f"p2p-client enable {pool.target}")
    refused = pool.guest.run(pool.read, user="bob", check=False)
    assert refused.status == 1 and "another user" in refused.error_text, "another life of p2pd knows it, too"

    pool.rebind()
    refused = pool.guest.run(pool.read, user="bob", check=False)
    assert refused.status == 1 and "not enabled" in refused.error_text, "what was enabled is gone"
    pool.guest.run(f"p2p-client enable {pool.target}")
    shown = pool.guest.run(pool.read, user="bob", timeout=120).text
    assert "it holds zeros" in shown and "equal" in shown


def test_who_may_not_is_refused(pool: Pool) -> None:
    pool.guest.run(f"rm {RULE} && systemctl restart polkit.service")
    refused = pool.guest.run(pool.read, user="alice", check=False)
    assert refused.status == 1 and "org.p2pd1.allocate-peer-memory" in refused.error_text


@pytest.mark.shows("unbind", back_end="p2pmem")
def test_only_the_end_of_the_driver_takes_it_back(pool: Pool) -> None:
    whole = pool.available()
    holder = pool.guest.start([*pool.read, "--wait"], user="alice")
    while "compared" not in holder.read_line(60.0):
        pass
    pool.guest.run(f"p2p-client disable --force {pool.target}")
    assert grants(pool.guest)["mappings"] == []
    assert pool.available() == whole - LENGTH, "it has its piece still: cooperative"
    pool.rebind()
    assert pool.available() == whole
    holder.kill()
    holder.wait(30.0)
