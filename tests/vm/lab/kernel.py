# SPDX-License-Identifier: LGPL-2.1-or-later
"""Kernels to boot: vmlinuz, an initrd that finds the disks, and a disk of modules.

The modules come as a disk of their own that the initrd mounts, so that one
guest image serves every kernel. Of a kernel with everything built in it holds
the list of that, which modprobe goes by.
"""

import functools
import os
import re
import shutil
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from . import apt, cache, linux
from .commands import fresh_log, output_of, run_logged

_NEWEST_SUITE = "trixie-backports"
_asking = threading.Lock()

_INIT = Path(__file__).parent / "guest" / "init"

# What the initrd loads: the way to the disks, the agent's port, and entropy for
# whoever waits for it. crc32c_generic is a soft dependency of ext4.
_EARLY = ["virtio_pci", "virtio_blk", "crc32c_generic", "ext4", "virtio_console", "virtio_rng"]

# What a guest of this laboratory can have a use for, out of 390 MB of modules:
# drivers of what it has, and of what tests bind, mount, stack or bring up.
_KEPT = [
    "crypto/crc32c_generic.ko", "lib", "mm",
    "fs/autofs", "fs/configfs", "fs/ext4", "fs/fuse", "fs/jbd2", "fs/mbcache.ko", "fs/overlayfs", "fs/squashfs",
    "drivers/block", "drivers/char", "drivers/dma-buf", "drivers/firmware", "drivers/iommu", "drivers/md",
    "drivers/misc", "drivers/net/dummy.ko", "drivers/net/net_failover.ko", "drivers/net/virtio_net.ko",
    "drivers/nvme", "drivers/pci", "drivers/vfio", "drivers/virt", "drivers/virtio", "net/core",
]  # fmt: skip


@dataclass(frozen=True)
class Kernel:
    """What QEMU is given to boot."""

    release: str
    vmlinuz: Path
    initrd: Path
    modules: Path | None


def debian() -> Kernel:
    """The kernel of the release that p2pd is packaged for."""
    return _of(apt.Archive())


@functools.cache  # asking takes seconds
def newest() -> Kernel:
    """The newest that Debian has for its next release."""
    return _of(_newest_suite())


@functools.cache
def built() -> Kernel:
    """The same with what Debian leaves out: iommufd, and errors to inject."""
    tree = linux.compiled(_newest_suite())

    def lay_out(place: Path, _: Path) -> None:
        shutil.copytree(tree, place)

    return _kernel(linux.release_of(tree), [tree.name], lay_out)


def _newest_suite() -> apt.Archive:
    with _asking:  # two at once would download into one place
        return _ask_newest_suite()


@functools.cache
def _ask_newest_suite() -> apt.Archive:
    return apt.Archive.of_suite(_NEWEST_SUITE, cache.root() / f"apt-{_NEWEST_SUITE}")


def _of(archive: apt.Archive) -> Kernel:
    """The kernel that an archive's metapackage stands for now."""
    image, = archive.depends("linux-image-amd64", r"linux-image-\d.*")
    release = image.removeprefix("linux-image-")
    # Newer ones come in parts.
    parts = [image, *archive.depends(image, rf"linux-(binary|modules|base)-{re.escape(release)}")]

    def unpack(tree: Path, log: Path) -> None:
        archive.unpack(parts, tree, log)

    return _kernel(release, [*parts, archive.version(image)], unpack)


def _kernel(release: str, source: Sequence[str], unpack: Callable[[Path, Path], None]) -> Kernel:
    """`unpack` is given a place for the tree of a kernel package, and a log; `source` says what it puts there."""
    recipe = [*source, apt.Archive().version("busybox-static"), _INIT.read_bytes(), Path(__file__).read_bytes()]
    place = cache.artifact(f"kernel-{release}", recipe, lambda out: _make(unpack, release, out))
    return Kernel(release, place / "vmlinuz", place / "initrd", place / "modules.ext4")


def _make(unpack: Callable[[Path, Path], None], release: str, out: Path) -> None:
    log = fresh_log("kernel")
    tree = out / "tree"
    unpack(tree, log)
    apt.Archive().unpack(["busybox-static"], tree, log)
    if not (tree / "lib").exists():  # newer packages have all in /usr, and depmod looks here
        (tree / "lib").symlink_to("usr/lib")
    modules = tree / "lib" / "modules" / release
    packed = [path for path in (tree / "boot" / f"vmlinuz-{release}", modules / "vmlinuz") if path.exists()]
    shutil.move(packed[0], out / "vmlinuz")

    run_logged(["depmod", "--basedir", tree, release], log)
    _prune(modules)
    run_logged(["depmod", "--basedir", tree, release], log)
    _make_initrd(tree, release, out / "initrd", log)

    # The disk is mounted on /usr/lib/modules, so its root is the directory that holds the release.
    size = int(output_of(["du", "--summarize", "--block-size=1M", str(modules)]).split()[0])
    disk = out / "modules.ext4"
    run_logged(
        ["mke2fs", "-q", "-t", "ext4", "-O", "^has_journal", "-E", "root_owner=0:0"]
        + ["-d", modules.parent, disk, f"{size + size // 4 + 8}M"],
        log,
    )
    shutil.rmtree(tree)


def _prune(modules: Path) -> None:
    """Leaves the modules of `_KEPT` and what they depend on."""
    closures = _closures(modules)
    kept: set[str] = set()
    for path, closure in closures.items():
        name = path.removeprefix("kernel/")
        if any(name == wanted or name.startswith((f"{wanted}/", f"{wanted}.")) for wanted in _KEPT):
            kept.update(closure)
    for path in closures.keys() - kept:
        (modules / path).unlink()


def _closures(modules: Path) -> dict[str, list[str]]:
    """Each module with all it depends on, in the order in which they can be loaded."""
    closures: dict[str, list[str]] = {}
    for line in (modules / "modules.dep").read_text().splitlines():
        path, _, dependencies = line.partition(":")
        closures[path] = [*reversed(dependencies.split()), path]  # the file has the deepest last
    return closures


def _load_order(modules: Path) -> list[str]:
    """The early modules, each after what it depends on, as paths below the release's directory."""
    closures = _closures(modules)
    by_name = {Path(path).name.split(".")[0].replace("-", "_"): path for path in closures}
    order: list[str] = []
    for name in _EARLY:
        for path in closures.get(by_name.get(name, ""), []):  # not there: built in
            if path not in order:
                order.append(path)
    return order


def _make_initrd(tree: Path, release: str, initrd: Path, log: Path) -> None:
    top = tree / "initrd"
    for directory in ("bin", "dev", "modules", "proc", "root", "sys"):
        (top / directory).mkdir(parents=True)
    shutil.copy(tree / "bin" / "busybox", top / "bin" / "busybox")
    shutil.copy(_INIT, top / "init")
    (top / "init").chmod(0o755)

    names = []
    for path in _load_order(tree / "lib" / "modules" / release):
        source = tree / "lib" / "modules" / release / path
        shutil.copy(source, top / "modules")
        if source.suffix == ".xz":  # so that busybox need not
            run_logged(["xz", "--decompress", top / "modules" / source.name], log)
        names.append(source.name.removesuffix(".xz"))
    (top / "modules" / "order").write_text("".join(f"{name}\n" for name in names))

    listing = "".join(f"{path.relative_to(top)}\n" for path in sorted(top.rglob("*")))
    (tree / "listing").write_text(listing)
    pack = 'cd "$1" && cpio --quiet --create --format=newc --owner=0:0 <"$2" >"$3"'
    run_logged(["sh", "-c", pack, "sh", top, tree / "listing", initrd], log)
    os.chmod(initrd, 0o644)
