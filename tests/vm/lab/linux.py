# SPDX-License-Identifier: LGPL-2.1-or-later
"""Linux, compiled from Debian's source: with what Debian's own kernels leave out.

The result is laid out like a kernel package that has been unpacked, so that
whoever makes a kernel to boot need not know where it came from.
"""

import os
import re
import shutil
from pathlib import Path

from . import apt, cache
from .commands import fresh_log, output_of, run_logged
from .errors import LabError

_FRAGMENT = Path(__file__).parent / "kernel.config"

# What depmod and modprobe know a kernel without modules by; and its configuration, for whoever looks for that.
_KEPT = {"modules.builtin": "modules.builtin", "modules.builtin.modinfo": "modules.builtin.modinfo", ".config": "config"}


def compiled(archive: apt.Archive) -> Path:
    """A directory with boot/vmlinuz-RELEASE and lib/modules/RELEASE; nothing else is in it."""
    package, = archive.depends("linux-source", r"linux-source-\d.*")
    gcc = output_of(["gcc", "-dumpfullversion"])
    recipe = [package, archive.version(package), gcc, _FRAGMENT.read_bytes(), Path(__file__).read_bytes()]
    return cache.artifact("linux", recipe, lambda out: _make(archive, package, out))


def release_of(tree: Path) -> str:
    """Which kernel a directory of `compiled` holds, as `uname -r` says it."""
    release, = (tree / "lib" / "modules").iterdir()
    return release.name


def _make(archive: apt.Archive, package: str, out: Path) -> None:
    log = fresh_log("linux")
    source, build = out / "source", out / "build"
    archive.unpack([package], out / "package", log)
    source.mkdir()
    tarball, = (out / "package" / "usr" / "src").glob("*.tar.xz")
    run_logged(["tar", "--extract", "--xz", "--strip-components=1", "--file", tarball, "--directory", source], log)
    shutil.rmtree(out / "package")

    build.mkdir()
    # Of the caller's settings none: make and the kernel have names for many.
    settings = {name: os.environ[name] for name in ("HOME", "PATH", "TMPDIR") if name in os.environ}
    settings |= {"LC_ALL": "C", "KBUILD_BUILD_USER": "lab", "KBUILD_BUILD_HOST": "lab"}
    # The next version, or another fragment, is mostly the same to the compiler; each time in another directory.
    compiler = "ccache gcc" if shutil.which("ccache") else "gcc"
    settings |= {"CCACHE_BASEDIR": str(out), "CCACHE_NOHASHDIR": "1"}

    # Whoever else is at work comes first: this is made beside tests that need other kernels.
    def make(*words: str) -> None:
        run_logged(["nice", "-n", "19", "make", "--silent", "-C", source, f"O={build}", f"CC={compiler}", *words], log, env=settings)

    make("allnoconfig", f"KCONFIG_ALLCONFIG={_FRAGMENT}")
    _check(_FRAGMENT.read_text(), (build / ".config").read_text())
    make(f"-j{os.cpu_count()}", "bzImage")

    release = (build / "include" / "config" / "kernel.release").read_text().strip()
    boot, modules = out / "boot", out / "lib" / "modules" / release
    boot.mkdir()
    modules.mkdir(parents=True)
    shutil.move(build / "arch" / "x86" / "boot" / "bzImage", boot / f"vmlinuz-{release}")
    for name, kept in _KEPT.items():
        shutil.move(build / name, modules / kept)
    (modules / "modules.order").touch()
    shutil.rmtree(source)
    shutil.rmtree(build)


def _check(wanted: str, taken: str) -> None:
    """What a kernel does not know or will not have, it leaves out without a word."""
    lines = set(taken.splitlines())
    missing = [line for line in wanted.splitlines() if re.match("CONFIG_", line) and line not in lines]
    if missing:
        raise LabError(f"the kernel does not take {', '.join(missing)} of {_FRAGMENT.name}")
