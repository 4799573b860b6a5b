# SPDX-License-Identifier: LGPL-2.1-or-later
"""One booted machine for the whole session, what to look at when a test fails, and what is shown at the end."""

import logging
import re
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cells import Cell, Table
from lab import Machine, kernel, packages, prepare
from lab.kernel import Kernel
from lab.machine import Hotplug


@dataclass(frozen=True)
class Kind:
    """A kernel, and how functions are plugged and unplugged with it."""

    make_kernel: Callable[[], Kernel]
    hotplug: Hotplug
    # What p2pd maps with there, the preferred one first.
    back_ends: Sequence[str]
    processors: int = 2
    arguments: Sequence[str] = ()


# The emulated timer is late when the host is busy, which newer kernels take for a broken one.
_PATIENT = ("no_timer_check",)

KINDS = {
    "debian": Kind(kernel.debian, "pciehp", ["vfio-type1"]),
    # QEMU's threads and code that another processor patches do not get on (an int3 in ktime_get of 7.3.4).
    "newest": Kind(kernel.newest, "acpi", ["vfio-type1"], processors=1, arguments=_PATIENT),
    "built": Kind(kernel.built, "pciehp", ["iommufd", "vfio-type1"], arguments=_PATIENT),
}
USUAL = ("debian", "newest")

# What the session found out, printed at its end.
table = Table()
releases = dict.fromkeys(KINDS, "")  # of those that were to boot
figures: list[str] = []


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--filter", metavar="RE", help="run only the tests whose id matches")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", f"kernels(KIND...): runs on these of {', '.join(KINDS)}; else on {' and '.join(USUAL)}")
    config.addinivalue_line("markers", "shows(EVENT, back_end=...): a cell of the table (cells.py); else of parameter back_end")

    # Boots and builds take their time: say what is going on, past pytest's capture.
    class ToTerminal(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            reporter = config.pluginmanager.get_plugin("terminalreporter")
            capture = config.pluginmanager.get_plugin("capturemanager")
            with capture.global_and_fixture_disabled():
                reporter.ensure_newline()
                reporter.write_line(f"laboratory: {record.getMessage()}")

    logger = logging.getLogger("lab")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logger.addHandler(ToTerminal())


def _parameters(item: pytest.Item) -> dict[str, str]:
    return item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}


def _can_be(item: pytest.Item) -> bool:
    """With ACPI, QEMU 7.2 tells the guest nothing of what is plugged below a switch, nor asks for it back; and not every
    kernel has every back end."""
    parameters = _parameters(item)
    kind = KINDS.get(parameters.get("machine", ""))
    if kind is None:
        return True
    # To a back end it is all the same where a target is plugged: one kernel is enough.
    if "switch_spare" in (parameters.get("bus"), parameters.get("leaving")) and parameters["machine"] != "debian":
        return False
    # What shows no cell need not be seen with each of them.
    wants_each = item.get_closest_marker("shows") or item.get_closest_marker("each_back_end")
    usable = kind.back_ends if wants_each else kind.back_ends[:1]
    return parameters.get("back_end", kind.back_ends[0]) in usable


def _cells(item: pytest.Item) -> list[Cell]:
    """What a test shows when it passes. How functions are plugged depends on the machine."""
    parameters = _parameters(item)
    shown = []
    for marker in item.iter_markers("shows"):
        event = f"{KINDS[parameters['machine']].hotplug} unplug" if marker.args == ("unplug",) else marker.args[0]
        shown.append(Cell(parameters["machine"], marker.kwargs.get("back_end") or parameters["back_end"], event))
    return shown


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    pattern = config.getoption("--filter") or ""
    chosen = [item for item in items if _can_be(item) and re.search(pattern, item.nodeid)]
    config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
    # Who boots machines of its own comes before those that the session keeps: they would take processors from it. Then one
    # kernel after the other, each with one boot: the laboratory itself first, whom others leave functions bound.
    order = ["", *KINDS]

    def rank(item: pytest.Item) -> tuple[int, bool]:
        return order.index(_parameters(item).get("machine", "")), item.get_closest_marker("laboratory") is None

    items[:] = sorted(chosen, key=rank)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """A failure is shown with the guest's journal and console; what a test shows is noted."""
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined]
    if report.failed or report.when == "call":
        for cell in _cells(item):
            table.note(cell, item.nodeid, report.passed)
    machine = getattr(item, "funcargs", {}).get("machine") or getattr(item, "funcargs", {}).get("guest")
    if report.failed and isinstance(machine, Machine):
        report.sections.append(("the guest", machine.report()))


def _is_whole(config: pytest.Config) -> bool:
    """Everything runs: then no cell of the table may be empty."""
    paths = [Path(argument) for argument in config.args]
    return not config.getoption("--filter") and not config.getoption("keyword") and all(path.is_dir() for path in paths)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    if exitstatus == pytest.ExitCode.OK and _is_whole(session.config) and table.problems(releases):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    if table.results:
        terminalreporter.section("what takes a mapping away")
        for line in table.lines({kernel: release for kernel, release in releases.items() if release}):
            terminalreporter.write_line(line)
        for line in table.problems(releases) if _is_whole(config) else ():
            terminalreporter.write_line(f"FAILED  {line}")
    if figures:
        terminalreporter.section("map and unmap: p2pd, over the ioctls alone and two Pings")
        for line in figures:
            terminalreporter.write_line(line)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Whoever wants the machine runs once on each kernel that it is for; tests of one kernel share a boot."""
    if "machine" in metafunc.fixturenames:
        marker = metafunc.definition.get_closest_marker("kernels")
        metafunc.parametrize("machine", marker.args if marker else USUAL, indirect=True, scope="session")


@pytest.fixture(scope="session", autouse=True)
def compile_ahead(request: pytest.FixtureRequest) -> None:
    """The kernel that takes long to make is made while tests run on the others; who needs it waits at the cache's lock."""
    if any(_parameters(item).get("machine") == "built" for item in request.session.items):
        # A daemon: a session that is interrupted does not wait. What fails here fails again, and is told, for who needs it.
        threading.Thread(target=KINDS["built"].make_kernel, daemon=True).start()


@pytest.fixture(scope="session")
def machine(request: pytest.FixtureRequest) -> Iterator[Machine]:
    """The standard machine, as it is after its boot."""
    kind = KINDS[request.param]
    releases[request.param] = "that did not boot"
    wants_p2pd = any("guest" in getattr(item, "fixturenames", ()) for item in request.session.items)
    prepared = prepare.everything(make_kernel=kind.make_kernel, with_packages=wants_p2pd, with_tools=wants_p2pd)
    with tempfile.TemporaryDirectory() as cargo:
        loaded = prepared.load(Path(cargo))
        with Machine.boot(
            kernel_to_boot=prepared.kernel,
            cargo=loaded,
            hotplug=kind.hotplug,
            processors=kind.processors,
            arguments=kind.arguments,
        ) as booted:
            releases[request.param] = prepared.kernel.release
            yield booted


@pytest.fixture(scope="session")
def guest(machine: Machine) -> Machine:
    """The machine with p2pd's packages installed, and alice in group p2p; bob is not."""
    packages.set_up(machine)
    return machine


@pytest.fixture(params=["iommufd", "vfio-type1"])
def back_end(request: pytest.FixtureRequest) -> str:
    """The preferred one; a test that shows something, or wants each of them, runs once with each that the kernel has."""
    return str(request.param)


@pytest.fixture(name="figures")
def all_figures() -> list[str]:
    """Lines for the end of the session: measured, not judged."""
    return figures


@pytest.fixture
def edu(machine: Machine) -> str:
    """The address of the initiator behind the switch with ACS."""
    return machine.address("edu")


@pytest.fixture
def ivshmem(machine: Machine) -> str:
    """The address of the target behind the switch with ACS."""
    return machine.address("ivshmem")
