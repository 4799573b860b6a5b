# SPDX-License-Identifier: LGPL-2.1-or-later
"""Packages from where this machine gets its own.

Mirrors, proxies, credentials and keys are this machine's business: they are
asked of apt at run time, written nowhere in the repository and removed from
the guest.
"""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self, TypeVar

from .commands import as_root, fresh_log, output_of, run_logged
from .errors import LabError

T = TypeVar("T")

RELEASE = "bookworm"

# Debian's keys of all its releases, from the package debian-archive-keyring.
_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"

# As root apt would drop to a user that can not write where we want it to, and warn about it.
_AS_WE_ARE = ("-o", "APT::Sandbox::User=root")

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


class Archive:
    """Packages as apt knows them: of this machine's own sources, or of another suite of the same mirror."""

    def __init__(self, options: Sequence[str] = ()) -> None:
        self._options = options

    @classmethod
    def of_suite(cls, suite: str, place: Path) -> Self:
        """The suite as it is now; its lists are kept below `place`, apart from the machine's own."""
        for directory in ("lists/partial", "cache/archives/partial"):
            (place / directory).mkdir(parents=True, exist_ok=True)
        uri = next(line.split()[1] for line in sources().splitlines() if line.split()[2] == RELEASE)
        (place / "sources.list").write_text(f"deb [signed-by={_KEYRING}] {uri} {suite} main\n")
        archive = cls(
            ["-o", f"Dir::Etc::SourceList={place}/sources.list", "-o", "Dir::Etc::SourceParts=-"]
            + ["-o", f"Dir::State::Lists={place}/lists", "-o", f"Dir::Cache={place}/cache"]
        )
        run_logged(["apt-get", *archive._options, *_AS_WE_ARE, "-q", "update"], fresh_log(f"apt-{suite}"))
        return archive

    def depends(self, package: str, pattern: str) -> list[str]:
        """What `package` depends on and whose name matches."""
        found = _refreshed(lambda: output_of(["apt-cache", *self._options, "depends", package]))
        pairs = (line.strip().partition(": ") for line in found.splitlines())
        return [name for kind, _, name in pairs if kind == "Depends" and re.fullmatch(pattern, name)]

    def version(self, package: str) -> str:
        """The version that apt would install."""
        return _refreshed(lambda: self._version(package))

    def _version(self, package: str) -> str:
        for line in output_of(["apt-cache", *self._options, "policy", package]).splitlines():
            if line.strip().startswith("Candidate: "):
                return line.split(": ", 1)[1]
        raise LabError(f"apt knows no package {package}")

    def unpack(self, packages: Sequence[str], directory: Path, log: Path) -> None:
        """Downloads packages and unpacks them, without installing anything."""
        download = directory / "download"
        download.mkdir(parents=True)
        command = ["apt-get", *self._options, *_AS_WE_ARE, "download", *packages]
        _refreshed(lambda: run_logged(command, log, cwd=download))
        for package in sorted(download.glob("*.deb")):
            run_logged(["dpkg-deb", "--extract", package, directory], log)
            package.unlink()
        download.rmdir()
