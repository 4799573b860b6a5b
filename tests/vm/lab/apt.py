# SPDX-License-Identifier: LGPL-2.1-or-later
"""Packages from where this machine gets its own.

Mirrors, proxies, credentials and keys are this machine's business: they are
asked of apt at run time, written nowhere in the repository and removed from
the guest.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from .commands import as_root, fresh_log, output_of, run_logged
from .errors import LabError

T = TypeVar("T")

RELEASE = "bookworm"

# How apt reaches a mirror, out of everything that `apt-config dump` prints.
_TRANSPORT = re.compile(r"^Acquire::(https?|ftp|socks5h?|Check-|Retries|Force|AllowInsecure|Queue)", re.IGNORECASE)


def _refreshed(ask: Callable[[], T]) -> T:
    """What `ask` returns; if this machine's lists are missing or too old for it, after one refresh."""
    try:
        return ask()
    except LabError:
        run_logged(as_root(["apt-get", "-q", "update"]), fresh_log("apt-update"))
        return ask()


def sources(release: str = RELEASE) -> str:
    """This machine's sources of one Debian release and its updates, one line each."""
    return _refreshed(lambda: _sources(release))


def _sources(release: str) -> str:
    listing = output_of(
        ["apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE) $(COMPONENT)"]
        + ["Created-By: Packages", "Origin: Debian"]
    )
    lines = sorted(
        {
            f"deb {uri} {suite} {component}"
            for uri, suite, component in (line.split() for line in listing.splitlines())
            if suite == release or suite.startswith(f"{release}-")
        }
    )
    if not any(f" {release} " in line for line in lines):
        raise LabError(f"apt on this machine has no source of Debian {release}")
    return "".join(f"{line}\n" for line in lines)


def transport() -> str:
    """The proxies and the like of this machine's apt, as an apt configuration file."""
    dump = output_of(["apt-config", "dump"])
    return "".join(f"{line}\n" for line in dump.splitlines() if _TRANSPORT.match(line))


def depends(package: str, pattern: str) -> str:
    """The first package that `package` depends on and whose name matches."""
    return _refreshed(lambda: _depends(package, pattern))


def _depends(package: str, pattern: str) -> str:
    for line in output_of(["apt-cache", "depends", package]).splitlines():
        kind, _, name = line.strip().partition(": ")
        if kind == "Depends" and re.fullmatch(pattern, name):
            return name
    raise LabError(f"{package} depends on nothing like {pattern}")


def version(package: str) -> str:
    """The version that apt would install."""
    return _refreshed(lambda: _version(package))


def _version(package: str) -> str:
    for line in output_of(["apt-cache", "policy", package]).splitlines():
        if line.strip().startswith("Candidate: "):
            return line.split(": ", 1)[1]
    raise LabError(f"apt knows no package {package}")


def unpack(packages: list[str], directory: Path, log: Path) -> None:
    """Downloads packages and unpacks them, without installing anything."""
    download = directory / "download"
    download.mkdir(parents=True)
    # As root apt would drop to a user that can not write here, and warn about it.
    command = ["apt-get", "-o", "APT::Sandbox::User=root", "download", *packages]
    _refreshed(lambda: run_logged(command, log, cwd=download))
    for package in sorted(download.glob("*.deb")):
        run_logged(["dpkg-deb", "--extract", package, directory], log)
        package.unlink()
    download.rmdir()
