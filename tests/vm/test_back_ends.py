# SPDX-License-Identifier: LGPL-2.1-or-later
"""Back ends beside each other, on the kernel that has all of them: which one p2pd takes, and what each of them ends."""

import json
import re
from collections.abc import Iterator

import pytest
from client import Client, Refused, grants, wait_until_nothing_is_held
from lab import Machine
from pair import Pair, make_ready

pytestmark = pytest.mark.kernels("built")

IMPORT = "/usr/lib/p2pd/examples/dma-buf-import"


@pytest.fixture
def ready(guest: Machine, edu: str, ivshmem: str) -> Iterator[Machine]:
    make_ready(guest, edu, ivshmem)
    guest.write_memory("ivshmem", bytes(1 << 20))
    yield guest
    guest.run("pkill -KILL dma-probe", check=False)
    wait_until_nothing_is_held(guest)


def test_iommufd_is_preferred_and_both_are_told(ready: Machine, edu: str, ivshmem: str) -> None:
    about = json.loads(ready.run("p2p-client version --json").text)["daemon"]
    assert about["backends"][:2] == ["iommufd", "vfio-type1"], "behind them what kernel drivers registered"
    pair = Pair(ready, edu, ivshmem)
    assert pair.backend == "iommufd"
    assert [holding["backend"] for holding in grants(ready)["holdings"]] == ["iommufd"]
    p2pd = ready.run("systemctl show --property=MainPID --value p2pd.service").text.strip()
    files = ready.run(f"ls -l /proc/{p2pd}/fd").text
    assert re.search(r"-> /dev/iommu$", files, re.MULTILINE)
    assert re.search(r"-> /dev/vfio/devices/vfio\d+$", files, re.MULTILINE)
    assert not re.search(r"-> /dev/vfio/(vfio|\d+)$", files, re.MULTILINE), "no container, no group"


@pytest.mark.parametrize("backend", ["iommufd", "vfio-type1"])
def test_the_back_end_that_was_named_maps_and_unmaps(ready: Machine, edu: str, ivshmem: str, backend: str) -> None:
    """The target is open through iommufd in both cases."""
    pair = Pair(ready, edu, ivshmem, backend=backend)
    assert pair.backend == backend
    pair.arm()
    pair.client.do("unmap")
    pair.assert_stopped()


def test_a_back_end_that_is_not_there_is_refused(ready: Machine, edu: str) -> None:
    with pytest.raises(Refused) as refusal:
        Client(ready).do(f"acquire {edu} 28 p2pmem")
    assert refusal.value.name == "org.p2pd1.Error.NotSupported"
    Client(ready).do(f"acquire {edu} 28 iommufd")


def test_a_copy_of_the_device_keeps_the_function_from_everybody(ready: Machine, edu: str, ivshmem: str) -> None:
    """As with type1, though iommufd has no group to be busy."""
    pair = Pair(ready, edu, ivshmem)
    pair.client.do("release")
    with pytest.raises(Refused) as refusal:
        Client(ready).do(f"acquire {edu}")
    assert refusal.value.name == "org.p2pd1.Error.Busy"
    pair.holder.do("close-device")
    pair.client.kill()
    Client(ready).do(f"acquire {edu}")


@pytest.fixture
def importer(guest: Machine) -> Iterator[str]:
    """Another initiator, on vfio-pci, of which p2pd knows nothing else: a program of root's has it."""
    address = guest.address("plain_edu")
    guest.run(f"p2p-client bind {address}")
    yield address
    guest.run(f"p2p-client unbind {address}")


def test_a_dma_buf_lands_in_the_importer_and_ends_with_its_lease(ready: Machine, ivshmem: str, importer: str) -> None:
    text = "imported " * 200
    shown = ready.run([IMPORT, importer, f"{ivshmem}:2", "--text", text]).text
    assert f"compared {len(text)} bytes: equal" in shown
    assert "released" in shown, "and then the same DMA, with other bytes"
    assert ready.memory("ivshmem").startswith(text.encode()), "which changed nothing"
    assert ready.dmar_faults(importer), "the IOMMU caught it"
    assert grants(ready)["mappings"] == []
    # It is a target as before.
    Pair(ready, ready.address("edu"), ivshmem)


def test_a_dma_buf_is_for_administrators(ready: Machine, ivshmem: str, importer: str) -> None:
    refused = ready.run([IMPORT, importer, f"{ivshmem}:2"], user="alice", check=False)
    assert refused.status == 1 and "org.p2pd1.export-dma-buf" in refused.error_text
    assert grants(ready)["mappings"] == []
    ready.run([IMPORT, importer, f"{ivshmem}:2"])
