# SPDX-License-Identifier: LGPL-2.1-or-later
"""The programs of `tests/vm/tools`, which run in the guest but are in no package."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from .commands import REPOSITORY, fresh_log, run_logged

_PRESET = "debug"
_TREE = REPOSITORY / "build" / _PRESET


def build_targets(targets: Sequence[str], log: Path) -> Path:
    """The tree where they are built; configured first, if nobody has."""
    if not (_TREE / "build.ninja").exists():
        launcher = ["-DCMAKE_CXX_COMPILER_LAUNCHER=ccache"] if shutil.which("ccache") else []
        run_logged(["cmake", "--preset", _PRESET, *launcher], log, cwd=REPOSITORY)
    run_logged(["cmake", "--build", _TREE, "--target", *targets], log)
    return _TREE


def build() -> Path:
    """A directory with the programs; the build is the one that run-tests uses, so there is little left to do."""
    out = _TREE / "vm-tools"
    log = fresh_log("tools")
    tree = build_targets(["tests/vm/tools/all"], log)
    shutil.rmtree(out, ignore_errors=True)
    run_logged(["cmake", "--install", tree, "--component", "tests", "--prefix", out], log)
    return out / "libexec" / "p2pd-tests"
