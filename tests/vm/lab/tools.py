# SPDX-License-Identifier: LGPL-2.1-or-later
"""The programs of `tests/vm/tools`, which run in the guest but are in no package."""

import shutil
from pathlib import Path

from .commands import REPOSITORY, fresh_log, run_logged

_PRESET = "debug"


def build() -> Path:
    """A directory with the programs; the build is the one that run-tests uses, so there is little left to do."""
    tree = REPOSITORY / "build" / _PRESET
    out = tree / "vm-tools"
    log = fresh_log("tools")
    if not (tree / "build.ninja").exists():
        launcher = ["-DCMAKE_CXX_COMPILER_LAUNCHER=ccache"] if shutil.which("ccache") else []
        run_logged(["cmake", "--preset", _PRESET, *launcher], log, cwd=REPOSITORY)
    run_logged(["cmake", "--build", tree, "--target", "tests/vm/tools/all"], log)
    shutil.rmtree(out, ignore_errors=True)
    run_logged(["cmake", "--install", tree, "--component", "tests", "--prefix", out], log)
    return out / "libexec" / "p2pd-tests"
