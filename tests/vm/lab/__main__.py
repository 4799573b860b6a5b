# SPDX-License-Identifier: LGPL-2.1-or-later
"""python3 -m lab: boots the standard machine and gives a root shell in it."""

import argparse
import logging
import sys
import tempfile
from pathlib import Path

from . import cache, packages, prepare, terminal
from .errors import LabError
from .layout import standard
from .machine import Machine


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests/vm/shell", description=__doc__)
    parser.add_argument("--bare", action="store_true", help="do not build and install p2pd's packages")
    parser.add_argument("--seed", type=int, help="draw the slots from this seed")
    parser.add_argument("--cpu", default="EPYC", help="QEMU's CPU model")
    parser.add_argument("--append", default="", help="more of the kernel's command line")
    parser.add_argument("--run", metavar="COMMAND", help="run a command instead of a shell")
    parser.add_argument("--clean", action="store_true", help="remove the cache and do nothing else")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")

    if options.clean:
        cache.clean()
        return 0
    if not options.run and not sys.stdin.isatty():
        parser.error("a shell needs a terminal; use --run COMMAND")

    layout = None if options.seed is None else standard(options.seed)
    with tempfile.TemporaryDirectory() as directory:
        cargo = None if options.bare else prepare.everything().load(Path(directory))
        with Machine.boot(
            layout=layout, cargo=cargo, cpu=options.cpu, arguments=options.append.split()
        ) as machine:
            if cargo is not None:
                packages.set_up(machine)
            if options.run:
                result = machine.run(options.run, check=False, timeout=600)
                sys.stdout.buffer.write(result.stdout)
                sys.stderr.buffer.write(result.stderr)
                return result.status
            terminal.attach(machine)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except LabError as error:
        sys.exit(f"laboratory: {error}")
