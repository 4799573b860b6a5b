# SPDX-License-Identifier: LGPL-2.1-or-later
"""p2pd's kernel rule against the kernel itself: the same question of every ordered pair, on every kind of machine.

The kernel decides by what is above two functions, by the CPU, and by whether its IOMMU driver had ACS redirect requests.
So there is a machine with a function in every place (lab.layout.oracle), which boots with each CPU and with and without
IOMMU.
"""

import logging
import os
import random
import tomllib
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from kernel_oracle import Answers, Boot, Pair, ask
from lab import kernel, prepare, vmlinux
from lab.commands import REPOSITORY
from lab.vmlinux import HostBridge

log = logging.getLogger("lab")

TABLE = REPOSITORY / "daemon" / "platform" / "kernel-host-bridges.toml"

# The first port of the host bridge `second`, and that of `third` and `fourth`: by which the kernel knows them.
SECOND = HostBridge(0x1B36, 0x000C, same_bridge_only=True)
THIRD_AND_FOURTH = HostBridge(0x8086, 0x3420)

BOOTS = {
    "Skylake-Server-iommu": Boot("Skylake-Server", iommu=True),
    "Skylake-Server": Boot("Skylake-Server", iommu=False),
    "EPYC-iommu": Boot("EPYC", iommu=True),
    "EPYC": Boot("EPYC", iommu=False),
    "Dhyana-iommu": Boot("Dhyana", iommu=True),
    "Dhyana": Boot("Dhyana", iommu=False),
    "own-entries": Boot("Skylake-Server", iommu=True, entries=(SECOND, THIRD_AND_FOURTH)),
}
REDIRECTING = "Skylake-Server-iommu"
REMEDIED = "remedied"

WITHIN_PLAIN = ("plain_a", "plain_in_plain_a")
WITHIN_ACS = ("acs_a", "acs_b")
TWINS = ("twin_a", "twin_b")
ROOT_PORTS = ("root_a", "root_b")
WITHIN_SECOND = ("second_a", "second_b")
SECOND_TO_THIRD = ("second_a", "third_a")
THIRD_TO_FOURTH = ("third_a", "fourth_a")

# What is known of the kernel, so that both it and p2pd would have to be asked wrongly for nobody to notice.
KNOWN: dict[str, tuple[list[Pair], list[Pair]]] = {
    "Skylake-Server-iommu": ([WITHIN_PLAIN], [WITHIN_ACS, TWINS, ROOT_PORTS, WITHIN_SECOND, THIRD_TO_FOURTH]),
    "Skylake-Server": ([WITHIN_PLAIN, WITHIN_ACS, TWINS], [ROOT_PORTS, WITHIN_SECOND, THIRD_TO_FOURTH]),
    "EPYC-iommu": ([WITHIN_PLAIN, WITHIN_ACS, TWINS, ROOT_PORTS, WITHIN_SECOND, SECOND_TO_THIRD, THIRD_TO_FOURTH], []),
    "EPYC": ([WITHIN_PLAIN, WITHIN_ACS, TWINS, ROOT_PORTS, WITHIN_SECOND, SECOND_TO_THIRD, THIRD_TO_FOURTH], []),
    "Dhyana-iommu": ([WITHIN_PLAIN], [WITHIN_ACS, TWINS, ROOT_PORTS, WITHIN_SECOND, THIRD_TO_FOURTH]),
    "Dhyana": ([WITHIN_PLAIN, WITHIN_ACS, TWINS], [ROOT_PORTS, WITHIN_SECOND, THIRD_TO_FOURTH]),
    "own-entries": ([WITHIN_PLAIN, WITHIN_SECOND, THIRD_TO_FOURTH], [WITHIN_ACS, TWINS, ROOT_PORTS, SECOND_TO_THIRD]),
    # Of two functions of one device p2pd does not know whether it routes between them: no change of ACS would tell.
    "remedied": ([WITHIN_PLAIN, WITHIN_ACS], [TWINS, ROOT_PORTS, WITHIN_SECOND, THIRD_TO_FOURTH]),
}


class Boots:
    """Two run at a time, and each test waits for its own."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self._pool = pool
        self._prepared = prepare.everything(make_kernel=kernel.newest)
        self._seed = int(os.environ.get("LAB_SEED") or random.randrange(1 << 32))
        self._answers: dict[str, Future[Answers]] = {}

    def start(self, name: str) -> "Future[Answers]":
        if name not in self._answers:
            make = self._remedied if name == REMEDIED else lambda: BOOTS[name]
            if name == REMEDIED:
                self.start(REDIRECTING)  # before it, so that whoever waits for it does not keep it from its turn
            self._answers[name] = self._pool.submit(lambda: self._ask(name, make()))
        return self._answers[name]

    def answers(self, name: str) -> Answers:
        return self.start(name).result()

    def _remedied(self) -> Boot:
        """The same machine with everything that p2pd would have changed about its ACS."""
        remedies = self.answers(REDIRECTING).acs_remedies().values()
        told = sorted({item for items in remedies for item in items})
        return replace(BOOTS[REDIRECTING], arguments=(f"pci=config_acs={';'.join(told)}",))

    def _ask(self, name: str, boot: Boot) -> Answers:
        assert self._prepared.packages
        return ask(boot, self._prepared.kernel, self._prepared.packages, self._seed, f"oracle-{name}")


@pytest.fixture(scope="module")
def boots(request: pytest.FixtureRequest) -> Iterator[Boots]:
    with ThreadPoolExecutor(2) as pool:
        started = Boots(pool)
        for item in request.session.items:
            if item.path == request.path and hasattr(item, "callspec"):
                started.start(item.callspec.params["name"])
        yield started


@pytest.mark.parametrize("name", [*BOOTS, REMEDIED])
def test_p2pd_says_of_every_pair_what_the_kernel_does(boots: Boots, name: str) -> None:
    answers = boots.answers(name)
    counts = len(answers.pairs), len(answers.allowed), len(answers.refused)
    log.info("%s: %d pairs compared; the kernel allows %d and refuses %d", name, *counts)
    assert len(set(answers.pairs)) == len(answers.pairs) > 0
    assert answers.differences() == []
    allowed, refused = KNOWN[name]
    assert set(allowed) <= answers.allowed
    assert set(refused) <= answers.refused


def test_what_p2pd_would_change_about_acs_lets_those_pairs_through(boots: Boots) -> None:
    before, after = boots.answers(REDIRECTING), boots.answers(REMEDIED)
    helped = set(before.acs_remedies())
    log.info("%d pairs had a remedy; %d allowed before, %d after", len(helped), len(before.allowed), len(after.allowed))
    assert helped
    assert helped <= before.refused
    # And whoever else passes a port that redirects no more.
    assert after.allowed >= before.allowed | helped


def test_p2pds_list_of_host_bridges_is_the_kernels() -> None:
    newest = kernel.newest()
    running = version(newest.release)
    ours = tomllib.loads(TABLE.read_text())["host_bridge"]
    applying = [entry for entry in ours if version(entry.get("since", "0.0")) <= running <= version(entry.get("until", "999.0"))]
    theirs = vmlinux.host_bridges(vmlinux.unpack(newest.vmlinuz))
    log.info("Linux %s has %d host bridges, %d of ours are for it", newest.release, len(theirs), len(applying))
    assert [host_bridge(entry) for entry in applying] == theirs


def version(release: str) -> tuple[int, int]:
    major, minor = release.split(".")[:2]
    return int(major), int(minor)


def host_bridge(entry: dict[str, Any]) -> HostBridge:
    vendor, device = entry["id"].split(":")
    return HostBridge(int(vendor, 16), None if device == "*" else int(device, 16), entry.get("same_bridge_only", False))
