# SPDX-License-Identifier: LGPL-2.1-or-later
"""What takes a mapping away, for each kernel, back end and event: what tests of this run have shown, and what none can.

A test that carries `shows(EVENT)` moved bytes first; then the event came, and the same DMA by whoever kept the descriptors
changed nothing and was caught by the IOMMU. docs/security.md says what the words of the table mean.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

BACK_ENDS = ("vfio-type1", "iommufd", "dma-buf", "p2pmem")
EVENTS = (
    "release",  # of the mapping or of its holding
    "lease closed",  # by the client, while others keep its device fd
    "kill -9",  # of who holds the lease
    "reset",  # of the target, through p2pd
    "unbind",  # of the target, through sysfs
    "acpi unplug",  # of the target
    "pciehp unplug",
    "decode off",  # the target's Memory Space Enable, through VFIO
    "p2pd stopped",  # SIGTERM
    "p2pd killed",  # and started again
)


@dataclass(frozen=True)
class Cell:
    kernel: str
    back_end: str
    event: str

    def __post_init__(self) -> None:
        if self.back_end not in BACK_ENDS or self.event not in EVENTS:
            raise ValueError(f"the table has no {self}")


@dataclass(frozen=True)
class Excuse:
    """Why no test shows some cells. `cooperative`: nothing can be shown, because nothing enforces it; a document says so."""

    word: str
    reason: str
    back_ends: Sequence[str] = BACK_ENDS
    kernels: Sequence[str] = ()  # none: whichever
    events: Sequence[str] = EVENTS
    # Where it is documented: words that docs/security.md has.
    document: str = ""

    def fits(self, cell: Cell) -> bool:
        return (
            cell.back_end in self.back_ends
            and cell.event in self.events
            and (not self.kernels or cell.kernel in self.kernels)
        )


_P2PMEM, _IOMMUFD, _DMA_BUF, _TYPE1 = ["p2pmem"], ["iommufd"], ["dma-buf"], ["vfio-type1"]
_UNPLUGS = ["acpi unplug", "pciehp unplug"]
_BY_DRIVER = "ends with its driver, as by unbind"
_OTHER_IMPORTERS = "exported, but nothing in the machine could import it: neither iommufd nor an RDMA device"
_WHOLE_POOL = "the kernel's descriptor is of all that memory, and nothing takes it back but the end of the driver"
_FAILS_OPEN = "type1 fails open: only p2pd could switch it off through VFIO, and does not while it is mapped"

# The first that fits counts. Facts: what kernels are built with, and what the machines of `conftest.KINDS` are.
EXCUSES = (
    Excuse("n/a", "Debian's 6.1 has no p2pdma", _P2PMEM, ["debian"]),
    Excuse("n/a", "looked at with the kernel that Debian has for it", _P2PMEM, ["built"]),
    Excuse(
        "n/a",
        "memory of a kernel driver, which resets and switches off as it sees fit",
        _P2PMEM,
        events=["reset", "decode off"],
    ),
    Excuse("n/a", _BY_DRIVER, _P2PMEM, events=_UNPLUGS),
    Excuse(
        "cooperative",
        _WHOLE_POOL,
        _P2PMEM,
        events=[event for event in EVENTS if event != "unbind"],
        document="Memory that a kernel driver registered: no.",
    ),
    Excuse("n/a", "Debian's kernels have no iommufd", _IOMMUFD, ["debian", "newest"]),
    Excuse("n/a", "vfio-pci exports no dma-buf before Linux 6.19", _DMA_BUF, ["debian"]),
    Excuse("n/a", _OTHER_IMPORTERS, _DMA_BUF, ["newest"]),
    Excuse("n/a", "the machine of this kernel plugs by pciehp", BACK_ENDS, ["debian", "built"], ["acpi unplug"]),
    Excuse("n/a", "the machine of this kernel plugs by ACPI", BACK_ENDS, ["newest"], ["pciehp unplug"]),
    Excuse(
        "cooperative",
        _FAILS_OPEN,
        _TYPE1,
        events=["decode off"],
        document="`vfio-type1` fails open: a BAR that is reset, switched off or given to another driver stays mapped",
    ),
)


def excuse_of(cell: Cell) -> Excuse | None:
    return next((excuse for excuse in EXCUSES if excuse.fits(cell)), None)


@dataclass
class Table:
    """Filled while tests run; `lines` is what comes out, `problems` what must not be."""

    # How each test of a cell went in the end.
    results: dict[Cell, dict[str, bool]] = field(default_factory=dict)

    def note(self, cell: Cell, test: str, passed: bool) -> None:
        self.results.setdefault(cell, {})[test] = passed

    def word(self, cell: Cell) -> str:
        tests, excuse = self.results.get(cell), excuse_of(cell)
        if tests and not all(tests.values()):
            return "FAILED"
        if tests and excuse:
            return "excused"
        return "enforced" if tests else excuse.word if excuse else "-"

    def problems(self, kernels: Mapping[str, str]) -> list[str]:
        said = {
            "-": "nothing showed it in this run, and there is no reason why",
            "excused": "a test showed it, yet there is a reason why none can",
            "FAILED": "a test that should show it failed",
        }
        words = {cell: self.word(cell) for cell in cells(kernels)}
        return [f"{cell.kernel}, {cell.back_end}, {cell.event}: {said[word]}" for cell, word in words.items() if word in said]

    def lines(self, kernels: Mapping[str, str]) -> list[str]:
        """`kernels`: their names, and what is known of their releases."""
        notes: list[str] = []
        drawn: list[str] = []
        for kernel, release in kernels.items():
            drawn += [f"{kernel}, Linux {release}", _row("", EVENTS)]
            for back_end in BACK_ENDS:
                words = []
                for event in EVENTS:
                    cell = Cell(kernel, back_end, event)
                    word, excuse = self.word(cell), excuse_of(cell)
                    if excuse and word == excuse.word:
                        reason = f"{word}: {excuse.reason}" + (" (docs/security.md)" if excuse.document else "")
                        if reason not in notes:
                            notes.append(reason)
                        word += f" [{notes.index(reason) + 1}]"
                    words.append(word)
                drawn.append(_row(back_end, words))
            drawn.append("")
        return drawn + [f"[{number}] {reason}" for number, reason in enumerate(notes, 1)]


def cells(kernels: Mapping[str, str]) -> Iterator[Cell]:
    for kernel in kernels:
        for back_end in BACK_ENDS:
            for event in EVENTS:
                yield Cell(kernel, back_end, event)


def _row(head: str, words: tuple[str, ...] | list[str]) -> str:
    return "".join([f"{head:<12}", *(f"{word:<17}" for word in words)]).rstrip()
