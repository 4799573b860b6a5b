# SPDX-License-Identifier: LGPL-2.1-or-later
"""Everything that a machine needs, made side by side, with a sign of life.

Building the packages keeps the compiler busy and making the image waits for
downloads and unpacking: together they take little longer than the first alone.
"""

import logging
import shutil
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import image, kernel, packages, tools
from .kernel import Kernel

log = logging.getLogger("lab")

SIGN_OF_LIFE = 20.0


@dataclass(frozen=True)
class Prepared:
    """What `Machine.boot` is given."""

    kernel: Kernel
    image: Path
    packages: Path | None
    tools: Path | None

    def load(self, cargo: Path) -> Path:
        """Fills a directory with what the guest finds in /srv/cargo."""
        for name, made in (("packages", self.packages), ("tools", self.tools)):
            if made is not None:
                shutil.copytree(made, cargo / name)
        return cargo


def everything(
    *, make_kernel: Callable[[], Kernel] = kernel.debian, with_packages: bool = True, with_tools: bool = False
) -> Prepared:
    """Kernel, image, packages and the tests' own programs, out of the cache or made now."""
    makers: dict[str, Callable[[], Any]] = {
        "packages": packages.build if with_packages else lambda: None,
        "image": image.make,
        "kernel": make_kernel,
        "tools": tools.build if with_tools else lambda: None,
    }
    with ThreadPoolExecutor(len(makers)) as pool:
        futures: dict[str, Future[Any]] = {name: pool.submit(make) for name, make in makers.items()}
        pending = set(futures.values())
        while pending:
            done, pending = wait(pending, SIGN_OF_LIFE, FIRST_COMPLETED)
            if not done:
                names = [name for name, future in futures.items() if future in pending]
                log.info("waiting for: %s", ", ".join(names))
        return Prepared(**{name: future.result() for name, future in futures.items()})
