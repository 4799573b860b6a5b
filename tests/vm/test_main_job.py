# SPDX-License-Identifier: LGPL-2.1-or-later
"""An unprivileged program has one device write into another's BAR, until its lease is gone.

In each test the bytes land first. Then the lease ends in some way, while another process keeps the very same device fd and
no lease, and the same DMA to the same cookie changes nothing and is caught by the IOMMU.
"""

from collections.abc import Iterator

import pytest
from client import Client, Refused, grants, main_pid, wait_for_another_main_pid, wait_until_nothing_is_held
from lab import Machine
from pair import Pair, make_ready

pytestmark = pytest.mark.kernels("debian", "newest", "built")


@pytest.fixture
def ready(guest: Machine, edu: str, ivshmem: str) -> Iterator[Machine]:
    """Initiator and target are ready for clients; the target's memory is zero."""
    make_ready(guest, edu, ivshmem)
    guest.write_memory("ivshmem", bytes(1 << 20))
    yield guest
    guest.run("pkill -KILL dma-probe", check=False)
    guest.run("systemctl start p2pd.service")
    wait_until_nothing_is_held(guest)


@pytest.fixture
def pair(ready: Machine, edu: str, ivshmem: str, back_end: str) -> Pair:
    return Pair(ready, edu, ivshmem, backend=back_end)


@pytest.mark.shows("release")
def test_after_release_nothing_lands(pair: Pair) -> None:
    pair.arm()
    pair.client.do("release")
    pair.assert_stopped()


@pytest.mark.shows("release")
def test_after_the_unmap_of_the_target_nothing_lands(pair: Pair) -> None:
    pair.arm()
    pair.client.do("unmap")
    pair.assert_stopped()
    assert len(grants(pair.guest)["holdings"]) == 1, "the initiator is still lent"


@pytest.mark.shows("kill -9")
def test_after_kill_9_of_the_lease_holder_nothing_lands(pair: Pair) -> None:
    pair.arm()
    pair.client.kill()
    wait_until_nothing_is_held(pair.guest)
    pair.assert_stopped()


@pytest.mark.shows("lease closed")
@pytest.mark.parametrize("how", ["close-lease", "shutdown-lease"])
def test_after_the_end_of_the_lease_nothing_lands(pair: Pair, how: str) -> None:
    """While both processes live: closed where nobody has a copy, or shut down."""
    pair.arm()
    pair.client.do(how)
    wait_until_nothing_is_held(pair.guest)
    pair.assert_stopped()


@pytest.mark.shows("p2pd stopped")
def test_after_sigterm_of_p2pd_nothing_lands(pair: Pair) -> None:
    pair.arm()
    pair.guest.run("systemctl stop p2pd.service")
    pair.assert_stopped()


@pytest.mark.shows("p2pd killed")
def test_after_kill_9_and_restart_of_p2pd_nothing_lands(pair: Pair) -> None:
    pair.arm()
    before = main_pid(pair.guest)
    pair.guest.run("systemctl kill --signal=KILL p2pd.service")
    wait_for_another_main_pid(pair.guest, before)
    pair.assert_stopped()


def test_after_a_restart_the_main_job_works_again(pair: Pair, edu: str, ivshmem: str) -> None:
    pair.guest.run("systemctl restart p2pd.service")
    pair.guest.run("pkill -KILL dma-probe", check=False)  # with the last copies of the device fd
    make_ready(pair.guest, edu, ivshmem)
    Pair(pair.guest, edu, ivshmem)


def test_a_lease_given_to_a_child_outlives_its_parent(pair: Pair) -> None:
    child = int(pair.client.do("lease-child")["pid"])
    pair.client.kill()
    pair.assert_lands(pair.holder, "child ")
    assert len(grants(pair.guest)["mappings"]) == 3, "two of its memory, one of the target"

    pair.arm()
    pair.guest.run(f"kill -KILL {child}")
    wait_until_nothing_is_held(pair.guest)
    pair.assert_stopped()


def test_disabling_by_force_takes_the_target_away_and_says_so(pair: Pair, ivshmem: str) -> None:
    refused = pair.guest.run(f"p2p-client disable {ivshmem}:2", check=False)
    assert refused.status == 1 and pair.mapping["mapping"].rsplit("/", 1)[1] in refused.error_text
    pair.arm()
    pair.guest.run(f"p2p-client disable {ivshmem}:2 --force")
    assert pair.client.do("notice")["event"] == "revoked"
    pair.assert_stopped()


@pytest.mark.shows("reset")
def test_a_reset_takes_the_target_away_first_and_gives_it_back_after(pair: Pair, ivshmem: str) -> None:
    refused = pair.guest.run(f"p2p-client reset {ivshmem}", check=False)
    assert refused.status == 1 and pair.mapping["mapping"].rsplit("/", 1)[1] in refused.error_text
    pair.arm()
    pair.guest.run(f"p2p-client reset {ivshmem} --force")
    notice = pair.client.do("notice")
    assert (notice["event"], notice["reason"]) == ("revoked", "device-reset")
    pair.assert_stopped()
    again = pair.client.do(f"map {ivshmem}:2")
    assert again["cookie"] == pair.mapping["cookie"], "p2pd kept the address space"
    pair.assert_lands(pair.holder, "again ")


def test_decode_that_is_switched_off_past_vfio_ends_nothing(pair: Pair, ivshmem: str) -> None:
    """Root wrote to config space by other ways: the kernel tells nobody, and with decode the mapping is back."""
    pair.holder.do("load hidden")
    before = pair.guest.memory("ivshmem")
    pair.guest.run(f"setpci -s {ivshmem} COMMAND=0:2")
    faults = pair.guest.dmar_faults(pair.edu)
    pair.holder.do("store")
    assert pair.guest.memory("ivshmem") == before, "nobody was there"
    assert pair.guest.dmar_faults(pair.edu) == faults, "the IOMMU had nothing against it"
    pair.guest.run(f"setpci -s {ivshmem} COMMAND=2:2")
    pair.assert_lands(pair.holder, "back ")


def test_what_is_only_offered_is_opened_for_its_reset(ready: Machine, edu: str) -> None:
    before = main_pid(ready)
    ready.run(f"p2p-client reset {edu}")
    Client(ready).do(f"acquire {edu}")
    assert main_pid(ready) == before, "p2pd is alive"


def test_the_client_reads_back_what_it_wrote(pair: Pair) -> None:
    read = bytes.fromhex(pair.client.do("read")["bytes"])
    assert read.startswith(b"landed" * 3) and pair.guest.memory("ivshmem").startswith(read)


def test_who_is_not_in_the_group_gets_nothing(ready: Machine, edu: str) -> None:
    outsider = Client(ready, user="bob")
    with pytest.raises(Refused) as refusal:
        outsider.do(f"acquire {edu}")
    assert refusal.value.name == "org.p2pd1.Error.NotPermitted"
    assert grants(ready)["holdings"] == []
    member = Client(ready)
    member.do(f"acquire {edu}")
    assert len(grants(ready)["holdings"]) == 1


def test_what_is_held_elsewhere_is_busy(pair: Pair, edu: str) -> None:
    """The holder keeps the device fd, and with it the group: nobody else gets the function until it lets go."""
    pair.client.do("release")
    other = Client(pair.guest)
    with pytest.raises(Refused) as refusal:
        other.do(f"acquire {edu}")
    assert refusal.value.name == "org.p2pd1.Error.Busy"
    pair.holder.do("close-device")
    pair.client.kill()
    Client(pair.guest).do(f"acquire {edu}")


def test_operators_only_change_what_is_enabled_and_offered(ready: Machine, edu: str, ivshmem: str) -> None:
    for command in (f"enable {ivshmem}:2", f"disable {ivshmem}:2", f"offer {edu}", f"withdraw {edu}", f"bind {edu}"):
        refused = ready.run(f"p2p-client --no-ask-password {command}", user="alice", check=False)
        assert refused.status == 3, f"{command}: {refused.status} {refused.error_text}"
        assert "org.p2pd1." in refused.error_text, "the action that would grant it is named"
