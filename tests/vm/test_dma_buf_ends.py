# SPDX-License-Identifier: LGPL-2.1-or-later
"""A target that p2pd exported, in the iommufd of a program that has nothing else to do with p2pd: what ends it there.

One process borrows the dma-buf and has its lease; another one imports a copy, and keeps it and its device to the end.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from client import main_pid, wait_for_another_main_pid, wait_until_nothing_is_held
from kernel_probe import Probe
from lab import Machine
from plugging import plug_target, unplug_target

pytestmark = pytest.mark.kernels("built")


@dataclass
class Imported:
    """Bytes landed by it."""

    guest: Machine
    target: str
    lender: Probe
    importer: Probe


@pytest.fixture
def imported(guest: Machine, request: pytest.FixtureRequest) -> Iterator[Imported]:
    plugged = request.node.get_closest_marker("shows").args == ("unplug",)
    target = plug_target(guest, "spare_root") if plugged else guest.address("ivshmem")
    initiator = guest.address("plain_edu")
    lender, importer = (Probe(guest, initiator, target, "leaver" if plugged else "ivshmem") for _ in range(2))
    try:
        guest.run(f"p2p-client bind {initiator} && p2p-client bind {target} && p2p-client enable {target}:2")
        lent = lender.do(f"borrow buffer {target}:2")
        importer.attach_edu()
        importer.do(f"take buffer {lent['pid']} {lent['fd']}")
        importer.do(importer.map_file())
        assert importer.bytes_land()
        yield Imported(guest, target, lender, importer)
    finally:
        for probe in lender, importer:
            probe.process.kill()
            probe.process.wait(30.0)
        guest.run("systemctl start p2pd.service")
        wait_until_nothing_is_held(guest)
        guest.run(f"p2p-client unbind {initiator}")
        if plugged:
            unplug_target(guest)


def release(imported: Imported) -> None:
    imported.lender.do("return")


def close_lease(imported: Imported) -> None:
    imported.lender.do("close-lease")
    wait_until_nothing_is_held(imported.guest)


def kill_lender(imported: Imported) -> None:
    imported.lender.process.signal(9)
    wait_until_nothing_is_held(imported.guest)


def reset(imported: Imported) -> None:
    refused = imported.guest.run(f"p2p-client reset {imported.target}", check=False)
    assert refused.status == 1 and "in use" in refused.error_text
    imported.guest.run(f"p2p-client reset {imported.target} --force")


def unbind(imported: Imported) -> None:
    started = time.monotonic()
    imported.guest.run(f"echo {imported.target} >/sys/bus/pci/drivers/vfio-pci/unbind", timeout=30)
    assert time.monotonic() - started < 3.0, "p2pd gives way within two seconds"


def unplug(imported: Imported) -> None:
    imported.guest.qmp("device_del", id="leaver")
    imported.guest.qmp_channel.wait_for_event("DEVICE_DELETED", device="leaver")


def stop_p2pd(imported: Imported) -> None:
    imported.guest.run("systemctl stop p2pd.service")


def kill_p2pd(imported: Imported) -> None:
    before = main_pid(imported.guest)
    imported.guest.run("systemctl kill --signal=KILL p2pd.service")
    wait_for_another_main_pid(imported.guest, before)


ENDS: dict[str, Callable[[Imported], None]] = {
    "release": release,
    "lease closed": close_lease,
    "kill -9": kill_lender,
    "reset": reset,
    "unbind": unbind,
    "unplug": unplug,
    "p2pd stopped": stop_p2pd,
    "p2pd killed": kill_p2pd,
}


@pytest.mark.parametrize(
    "end", [pytest.param(end, marks=pytest.mark.shows(event, back_end="dma-buf")) for event, end in ENDS.items()]
)
def test_nothing_lands_any_more(imported: Imported, end: Callable[[Imported], None]) -> None:
    end(imported)
    assert imported.importer.is_stopped()
