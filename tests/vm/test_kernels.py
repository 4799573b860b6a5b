# SPDX-License-Identifier: LGPL-2.1-or-later
"""What differs from kernel to kernel is asked of the kernel that runs."""

import json
import time
from typing import Any

from lab import Machine


def daemon(guest: Machine) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(guest.run("p2p-client version --json").text)["daemon"]
    return answer


def back_ends(guest: Machine) -> list[str]:
    """Those of VFIO: what drivers of the kernel registered has nothing to do with them."""
    return [name for name in daemon(guest)["backends"] if name != "p2pmem"]


def has_p2pdma(guest: Machine) -> bool:
    return guest.run("grep -q ' pci_p2pdma_distance_many$' /proc/kallsyms", check=False).status == 0


def test_the_kernels_rule_is_there_where_the_kernel_has_it(guest: Machine, edu: str, ivshmem: str) -> None:
    release = guest.run("uname -r").text.strip()
    rule = daemon(guest)["kernel_rule"]
    verdict = json.loads(guest.run(f"p2p-client check --json {edu} {ivshmem}:2", check=False).text)
    print(f"{release}: kernel rule {rule}, verdict {verdict['kernel']}")
    assert verdict["kernel"]["present"] == has_p2pdma(guest)
    assert (rule != "absent") == has_p2pdma(guest)


def test_the_second_kernel_differs_from_the_first_in_it(guest: Machine) -> None:
    """Debian's 6.1 is built without p2pdma: else the test above would show one side only."""
    assert has_p2pdma(guest) == (not guest.run("uname -r").text.startswith("6.1."))


def test_a_back_end_is_there_while_the_kernel_has_it(guest: Machine) -> None:
    assert back_ends(guest) == ["vfio-type1"]
    guest.run("modprobe --remove vfio_iommu_type1")
    try:
        wait_for_backends(guest, [])
        assert daemon(guest)["problems"] != []
    finally:
        guest.run("modprobe vfio_iommu_type1")
    wait_for_backends(guest, ["vfio-type1"])


def wait_for_backends(guest: Machine, wanted: list[str]) -> None:
    deadline = time.monotonic() + 20
    while (found := back_ends(guest)) != wanted:
        assert time.monotonic() < deadline, f"{found}, not {wanted}"
        time.sleep(0.5)
