# SPDX-License-Identifier: LGPL-2.1-or-later
"""Things that take long to make, kept outside the work tree.

An artifact is a directory whose name holds a hash of what made it, so it never
has to be invalidated. It is made under another name and renamed when complete:
whoever sees it may use it. A lock per name keeps two runs from making it twice.
"""

import contextlib
import fcntl
import hashlib
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

log = logging.getLogger("lab")

KEPT_PER_NAME = 3


def root() -> Path:
    """The cache's directory, created if need be."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    path = Path(base) / "p2pd"
    path.mkdir(parents=True, exist_ok=True)
    return path


def digest(recipe: Iterable[str | bytes]) -> str:
    """A short hash of the parts; their borders count."""
    state = hashlib.sha256()
    for part in recipe:
        raw = part.encode() if isinstance(part, str) else part
        state.update(b"%d:" % len(raw) + raw)
    return state.hexdigest()[:16]


def files_recipe(top: Path, paths: Iterable[Path]) -> Iterator[bytes]:
    """Name, mode and content of each file: a recipe that ignores timestamps."""
    for path in sorted(paths):
        executable = path.stat().st_mode & 0o100
        yield f"{path.relative_to(top)} {executable}".encode()
        yield path.read_bytes()


@contextlib.contextmanager
def _locked(name: str) -> Iterator[None]:
    with open(root() / f"{name}.lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            log.info("%s: another run is making it, waiting", name)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def artifact(name: str, recipe: Iterable[str | bytes], make: Callable[[Path], None]) -> Path:
    """The directory `name-HASH`, made by `make(directory)` unless it is there."""
    place = root() / f"{name}-{digest(recipe)}"
    if place.exists():
        os.utime(place)
        return place
    with _locked(name):
        if not place.exists():
            log.info("%s: making it (once; kept in %s)", name, root())
            started = time.monotonic()
            draft = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=root()))
            try:
                make(draft)
                draft.chmod(0o755)
                draft.rename(place)
            except BaseException:
                shutil.rmtree(draft, ignore_errors=True)
                raise
            log.info("%s: done in %.0f s", name, time.monotonic() - started)
        _forget_old(name)
    return place


def _forget_old(name: str) -> None:
    """Machines that still run from a forgotten artifact keep it open."""
    length = len(f"{name}-") + 16
    all_of_it = [p for p in root().glob(f"{name}-*") if p.is_dir() and len(p.name) == length]
    by_use = sorted(all_of_it, key=lambda p: p.stat().st_mtime, reverse=True)
    for path in by_use[KEPT_PER_NAME:]:
        shutil.rmtree(path, ignore_errors=True)


def clean() -> None:
    """Removes everything that the laboratory keeps."""
    shutil.rmtree(root())
