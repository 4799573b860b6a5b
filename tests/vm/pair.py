# SPDX-License-Identifier: LGPL-2.1-or-later
"""The main job as a piece to build tests on: bytes that landed, and what happens to the same DMA later."""

from collections.abc import Callable

from client import Client, Holder
from lab import Machine


def make_ready(guest: Machine, edu: str, ivshmem: str) -> None:
    """Both functions on vfio-pci, the BAR enabled, the initiator offered."""
    guest.run(
        f"p2p-client bind {edu} && p2p-client bind {ivshmem} &&"
        f" p2p-client enable {ivshmem}:2 && p2p-client offer {edu} --group p2p"
    )


class Pair:
    """A client whose bytes landed, and a process beside it that keeps all but the lease."""

    def __init__(
        self,
        guest: Machine,
        edu: str,
        ivshmem: str,
        memory: str | Callable[[], bytes] = "ivshmem",
        backend: str = "",
    ) -> None:
        """`memory`: what the host calls the target, or how it reads it; `backend`: whose mappings they are to be."""
        self.guest, self.edu = guest, edu
        self._read = memory if callable(memory) else lambda: guest.memory(memory)
        self.client = Client(guest)
        self.backend = self.client.do(f"acquire {edu} 28 {backend}".strip())["backend"]
        self.client.do("memory")
        self.mapping = self.client.do(f"map {ivshmem}:2")
        self.cookie = int(self.mapping["cookie"], 16)
        self.holder = self.client.fork_holder()
        self.assert_lands(self.holder, "landed ")

    def assert_lands(self, who: Client | Holder, seed: str) -> None:
        who.do(f"write {seed}")
        assert self._read().startswith(seed.strip().encode() * 3), "the bytes are in the BAR"

    def arm(self) -> None:
        """Other bytes wait in the engine's buffer: what could not be told apart would prove nothing."""
        self.holder.do("load stopped")
        self.before = self._read()

    def assert_stopped(self) -> None:
        """The same DMA as the one that landed."""
        faults = self.guest.dmar_faults(self.edu).count(self.cookie)
        self.holder.do("store")
        assert self._read() == self.before, "nothing changed"
        assert self.guest.dmar_faults(self.edu).count(self.cookie) > faults, "the IOMMU caught it at the cookie"
