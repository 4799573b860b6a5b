# SPDX-License-Identifier: LGPL-2.1-or-later
"""The main job, live: what `./quickstart` shows.

The demonstration itself is `STEPS`: each is a command as an operator or a user
would type it, the exit status it must have, and what must be true afterwards.
"""

import argparse
import logging
import re
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab import LabError, Machine, packages, prepare, terminal

EXAMPLE = "/usr/lib/p2pd/examples/dma-round-trip"

TIMEOUT = 120.0

BOLD, DIM, RED, GREEN, PLAIN = "\033[1m", "\033[2m", "\033[31m", "\033[32m", "\033[0m"


class Failed(Exception):
    """The demonstration did not show what it must."""


class Transcript:
    """What is shown: in colour on a terminal, plain in the file."""

    def __init__(self, path: Path | None) -> None:
        self._file = open(path, "w") if path else None
        self._colour = sys.stdout.isatty()
        self._started = time.monotonic()

    def show(self, text: str, style: str = "") -> None:
        print(f"{style}{text}{PLAIN}" if style and self._colour else text, flush=True)
        if self._file:
            print(text, file=self._file, flush=True)

    def progress(self, text: str) -> None:
        """A line for whoever waits; it is no part of the transcript."""
        line = f"[{time.monotonic() - self._started:4.0f} s] {text}"
        print(f"{DIM}{line}{PLAIN}" if self._colour else line, flush=True)


@dataclass(frozen=True)
class Step:
    """One command of the demonstration.

    dialogue: what is typed into a command that says `ready` and then answers line by line, each with what must be
    true after the answer; `check` then sees what it printed up to `ready`.
    """

    title: str
    command: str
    user: str = "root"
    status: int = 0
    check: Callable[["Demonstration", str], None] | None = None
    dialogue: Sequence[tuple[str, Callable[["Demonstration", str], None] | None]] = ()


class Demonstration:
    """The steps on a booted machine."""

    def __init__(self, machine: Machine, transcript: Transcript) -> None:
        self.machine = machine
        self.transcript = transcript
        self.letter = f"letter {machine.layout.seed:08x} "
        self.landed = b""
        self.cookie: int | None = None
        self.names = {name: machine.address(name) for name in ("edu", "ivshmem", "nvme")} | {"letter": self.letter}

    def perform(self, step: Step) -> None:
        """Shows the command and what it prints, and sees to it that it did what it must."""
        command = step.command.format(**self.names)
        prompt = "#" if step.user == "root" else f"{step.user}$"
        self.transcript.show(f"\n{step.title}", BOLD)
        self.transcript.show(f"{prompt} {command}", GREEN)
        started = time.monotonic()
        status = self._converse(step, command) if step.dialogue else self._run(step, command)
        self.transcript.show(f"  ({time.monotonic() - started:.1f} s)", DIM)
        if status != step.status:
            raise Failed(f"{command}: exit status {status} instead of {step.status}")

    def _run(self, step: Step, command: str) -> int:
        result = self.machine.run(command, user=step.user, check=False, timeout=TIMEOUT)
        self._show(result.text + result.error_text)
        if step.check and result.status == step.status:
            step.check(self, result.text)
        return result.status

    def _converse(self, step: Step, command: str) -> int:
        process = self.machine.start(command, user=step.user)
        said = ""
        while not said.endswith("ready\n"):
            said += process.read_line(TIMEOUT) + "\n"
        self._show(said)
        if step.check:
            step.check(self, said)
        for line, check in step.dialogue:
            self.transcript.show(f"> {line}", GREEN)
            answer = process.ask(line, TIMEOUT)
            self._show(answer)
            if not answer.startswith("ok"):
                raise Failed(f"{line}: {answer}")
            if check:
                check(self, answer)
        process.close_stdin()
        return process.wait(TIMEOUT).status

    def _show(self, text: str) -> None:
        if text.strip():
            self.transcript.show(textwrap.indent(text.rstrip("\n"), "  "))

    def say(self, text: str) -> None:
        self.transcript.show(f"  * {text}", GREEN)


def _names_its_blockers(_: Demonstration, output: str) -> None:
    if "target-not-enabled" not in output:
        raise Failed("the refusal does not name its blocker")


def _the_bytes_landed(demonstration: Demonstration, output: str) -> None:
    """The host knows what was sent, and looks at the BAR without asking the guest."""
    compared = re.search(r"compared +(\d+) bytes: equal", output)
    cookie = re.search(r"edu -> BAR (0x[0-9a-f]+)", output)
    if not compared or not cookie:
        raise Failed("the program does not say that its bytes came back equal, or by which cookie")
    length = int(compared[1])
    demonstration.cookie = int(cookie[1], 16)
    letter = (demonstration.letter.encode() * length)[:length]
    if demonstration.machine.memory("ivshmem") != letter.ljust(1 << 20, b"\0"):
        raise Failed("the host does not see those bytes, and no others, in the BAR")
    demonstration.landed = demonstration.machine.memory("ivshmem")
    demonstration.say(f"the host sees the same {length} bytes in the BAR's memory-backend-file, and nothing else")


def _nothing_changed(demonstration: Demonstration, _: str) -> None:
    if demonstration.machine.memory("ivshmem") != demonstration.landed:
        raise Failed("the DMA reached the BAR after the lease was gone")
    demonstration.say("the host sees the BAR unchanged")


def _the_fault_is_ours(demonstration: Demonstration, _: str) -> None:
    faults = demonstration.machine.dmar_faults(demonstration.names["edu"])
    if demonstration.cookie is None or demonstration.cookie & ~0xFFF not in faults:
        raise Failed(f"no DMA fault at the cookie; faults: {[hex(fault) for fault in faults]}")
    demonstration.say("the IOMMU stopped it at the cookie that the lease had stood for")


STEPS = [
    Step("What is in this machine", "p2p-client list"),
    Step("Where it sits", "p2p-client tree"),
    Step("Who could reach whom", "p2p-client matrix"),
    Step(
        "A pair that is refused, with everything that stands against it",
        "p2p-client check {edu} {ivshmem}:2",
        status=1,
        check=_names_its_blockers,
    ),
    Step("An operator hands both functions to VFIO", "p2p-client bind {edu} && p2p-client bind {ivshmem}"),
    Step("makes the BAR a target", "p2p-client enable {ivshmem}:2"),
    Step("and offers the initiator", "p2p-client offer {edu} --group p2p"),
    Step("Now the answer is another", "p2p-client check {edu} {ivshmem}:2"),
    Step("An unprivileged user of group p2p", "id", user="alice"),
    Step(
        "has her own memory moved RAM -> edu -> BAR -> edu -> other RAM; loses the lease; and tries again",
        EXAMPLE + " {edu} {ivshmem}:2 --pattern '{letter}' --interactive",
        user="alice",
        check=_the_bytes_landed,
        dialogue=[
            ("load must not land ", None),
            ("release", None),
            ("store", _nothing_changed),
        ],
    ),
    Step(
        "What the kernel saw of the second try",
        "dmesg | grep 'DMAR:.*fault addr' | tail -n 1",
        check=_the_fault_is_ours,
    ),
    Step("Nothing is left behind", "p2p-client mappings"),
]


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./quickstart")
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--transcript", type=Path, metavar="FILE")
    parsed = parser.parse_args()
    if parsed.keep and not sys.stdin.isatty():
        parser.error("--keep needs a terminal for the shell")
    return parsed


def run(keep: bool, transcript: Transcript) -> None:
    started = time.monotonic()
    prepared = prepare.everything()
    with tempfile.TemporaryDirectory() as cargo, Machine.boot(cargo=prepared.load(Path(cargo))) as machine:
        try:
            packages.set_up(machine)
            demonstration = Demonstration(machine, transcript)
            for step in STEPS:
                demonstration.perform(step)
        except (LabError, Failed):
            transcript.progress("what the guest has to say:")
            print(machine.report(), flush=True)
            raise
        transcript.show(f"\nAll of it happened, in {time.monotonic() - started:.0f} s.", BOLD)
        if keep:
            terminal.attach(machine)


def main() -> int:
    chosen = options()
    transcript = Transcript(chosen.transcript)

    class Progress(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            transcript.progress(record.getMessage())

    logger = logging.getLogger("lab")
    logger.setLevel(logging.INFO)
    logger.addHandler(Progress())
    try:
        run(chosen.keep, transcript)
    except (LabError, Failed) as error:
        transcript.show(f"\nquickstart: {error}", RED)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
