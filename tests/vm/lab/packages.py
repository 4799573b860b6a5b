# SPDX-License-Identifier: LGPL-2.1-or-later
"""p2pd's Debian packages, built once per state of the source tree."""

import logging
import shutil
from pathlib import Path

from . import cache
from .commands import REPOSITORY, fresh_log, output_of, run_logged
from .errors import LabError
from .machine import Machine

log = logging.getLogger("lab")

_BUILDER = REPOSITORY / "packaging" / "build-debs"

# Emulated hardware counts as physical here: the rules under test are those of real machines.
CONFIGURATION = '[platform]\nvirtualization = "none"\n'

# What packages are made from: tests and documents may change without a new build.
_NOT_SOURCES = ("tests/", "docs/", ".ci/", "quickstart", "run-tests", ".gitignore", "README.md")


def _sources() -> list[Path]:
    """Every file git knows or would add: what a clone of the tree as it is now would hold."""
    listing = output_of(
        ["git", "-c", f"safe.directory={REPOSITORY}", "-C", str(REPOSITORY)]
        + ["ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    )
    paths = (REPOSITORY / name for name in listing.split("\0") if name and not name.startswith(_NOT_SOURCES))
    return [path for path in paths if path.is_file()]


def build() -> Path:
    """A directory with the .deb files."""
    if not _BUILDER.exists():
        raise LabError(f"{_BUILDER.relative_to(REPOSITORY)} is not there: nothing to build packages with")
    return cache.artifact("packages", cache.files_recipe(REPOSITORY, _sources()), _make)


def _make(out: Path) -> None:
    log = fresh_log("packages")
    run_logged([_BUILDER, out], log, cwd=REPOSITORY)
    if not list(out.glob("*.deb")):
        raise LabError(f"{_BUILDER.name} made no package; see {log}")
    for path in out.iterdir():
        if path.suffix != ".deb":  # .changes, .buildinfo
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def set_up(machine: Machine) -> None:
    """Installs the packages as an administrator would, and makes alice one of group p2p; bob is not."""
    log.info("installing the packages in the guest")
    machine.install()
    machine.put("/etc/p2pd/p2pd.toml", CONFIGURATION)
    machine.run("systemctl restart p2pd.service && usermod --append --groups p2p alice")
