# SPDX-License-Identifier: LGPL-2.1-or-later
"""Two functions of one endpoint share an IOMMU group: they go to vfio-pci and back together."""

import json
from collections.abc import Iterator

import pytest
from client import Client, wait_until_nothing_is_held
from lab import Machine

pytestmark = pytest.mark.kernels("debian", "built")


@pytest.fixture
def twins(guest: Machine) -> Iterator[tuple[str, str]]:
    edu, ivshmem = guest.address("twin_edu"), guest.address("twin_ivshmem")
    yield edu, ivshmem
    guest.run("pkill -KILL dma-probe", check=False)
    wait_until_nothing_is_held(guest)
    guest.run(f"p2p-client withdraw {edu} && p2p-client unbind --group {edu}")


def drivers(guest: Machine, twins: tuple[str, str]) -> list[str]:
    functions = json.loads(guest.run("p2p-client list --json").text)["functions"]
    return [each["driver"] or "" for address in twins for each in functions if each["address"] == address]


def test_a_group_is_bound_lent_and_unbound_as_a_whole(guest: Machine, twins: tuple[str, str]) -> None:
    edu, _ = twins
    before = drivers(guest, twins)
    assert before == ["", ""], "the guest has no drivers for them"
    guest.run(f"p2p-client bind --group {edu}")
    assert drivers(guest, twins) == ["vfio-pci", "vfio-pci"]
    guest.run(f"p2p-client bind --group {edu}")

    guest.run(f"p2p-client offer {edu} --group p2p")
    client = Client(guest)
    client.do(f"acquire {edu}")
    refused = guest.run(f"p2p-client unbind --group {edu}", check=False)
    assert refused.status == 1 and "is lent as" in refused.error_text
    assert drivers(guest, twins) == ["vfio-pci", "vfio-pci"]

    client.kill()
    wait_until_nothing_is_held(guest)
    guest.run(f"p2p-client unbind --group {edu}")
    assert drivers(guest, twins) == before
