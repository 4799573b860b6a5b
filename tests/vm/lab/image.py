# SPDX-License-Identifier: LGPL-2.1-or-later
"""The guest's root disk: a small Debian with what p2pd's packages depend on.

Made in two steps, because they change at a different pace: the packages, which
take more than a minute, and the few files of our own on top.
"""

import os
import shutil
import tempfile
from pathlib import Path

from . import apt, cache
from .commands import as_root, fresh_log, run_logged

_GUEST = Path(__file__).parent / "guest"

# Everything that our packages depend on must be here: the guest has no network,
# and installs them with apt as a user would.
PACKAGES = [
    "dbus", "kmod", "pciutils", "polkitd", "procps", "python3", "python3-dbus", "systemd-sysv", "udev",
    "libexpat1", "libfmt9", "libpci3", "libsdbus-c++1", "libsdbus-c++-dev", "libsmartcols1", "libspdlog1.10",
    "libstdc++6", "libsystemd0", "libsystemd-dev", "libtomlplusplus3", "libudev1",
]  # fmt: skip

# Run in the guest's tree before it becomes a disk. Nothing here needs the network.
_CUSTOMIZE = r"""
set -eu
echo lab >/etc/hostname
printf '127.0.0.1 localhost lab\n' >/etc/hosts
echo uninitialized >/etc/machine-id
passwd --quiet --delete root
for user in alice bob; do
  useradd --create-home --shell /bin/bash "$user"
done
# What only costs time in a machine that lives for minutes.
for unit in apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service \
  fstrim.timer systemd-timesyncd.service systemd-networkd.service systemd-update-utmp.service \
  systemd-update-utmp-runlevel.service systemd-random-seed.service systemd-pstore.service getty@tty1.service \
  getty-static.service systemd-binfmt.service systemd-sysctl.service systemd-fsck-root.service \
  systemd-journal-catalog-update.service systemd-update-done.service ldconfig.service systemd-firstboot.service \
  systemd-hwdb-update.service man-db.timer logrotate.timer console-setup.service keyboard-setup.service \
  proc-sys-fs-binfmt_misc.automount dev-hugepages.mount dev-mqueue.mount sys-kernel-debug.mount \
  sys-kernel-tracing.mount systemd-journal-flush.service; do
  ln -sf /dev/null "/etc/systemd/system/$unit"
done
mkdir -p /etc/systemd/journald.conf.d
printf '[Journal]\nStorage=volatile\nRateLimitIntervalSec=0\n' >/etc/systemd/journald.conf.d/lab.conf
mkdir -p /usr/lib/modules  # the kernel's disk is mounted here
mkdir -p /etc/systemd/system-generators
ln -sf /dev/null /etc/systemd/system-generators/systemd-getty-generator
"""

# Arguments: tree, base, our files, disk.
_ASSEMBLE = """
set -eu
umask 022
mkdir "$1"
tar --extract --numeric-owner --file "$2" --directory "$1"
install -D -m 644 "$3/agent.py" "$1/usr/lib/lab/agent.py"
install -m 644 "$3/agent.service" "$1/etc/systemd/system/lab-agent.service"
mkdir -p "$1/etc/systemd/system/sysinit.target.wants"
ln -s ../lab-agent.service "$1/etc/systemd/system/sysinit.target.wants/"
mke2fs -q -t ext4 -O ^has_journal -d "$1" "$4" 2G
"""


def make() -> Path:
    """The root disk; QEMU opens it with snapshot=on and never writes to it."""
    overlay = [path for path in _GUEST.iterdir() if path.name.startswith("agent")]
    recipe = [*_base_recipe(), *cache.files_recipe(_GUEST, overlay), Path(__file__).read_bytes()]
    return cache.artifact("image", recipe, lambda out: _make_disk(_base(), out)) / "root.ext4"


def _base_recipe() -> list[str]:
    return ["mmdebstrap", apt.RELEASE, *PACKAGES, _CUSTOMIZE]


def _base() -> Path:
    return cache.artifact("base", _base_recipe(), _make_base) / "base.tar"


def _make_base(out: Path) -> None:
    """mmdebstrap, with this machine's sources, proxies and credentials for its duration only."""
    log = fresh_log("image")
    with tempfile.TemporaryDirectory() as private:
        sources = Path(private) / "lab.list"
        sources.write_text(apt.sources())
        transport = Path(private) / "transport"
        transport.write_text(apt.transport())
        customize = Path(private) / "customize"
        customize.write_text(_CUSTOMIZE)
        run_logged(
            as_root(
                ["mmdebstrap", "--variant=apt", "--mode=root", f"--include={','.join(PACKAGES)}"]
                + [f"--aptopt={transport}", '--aptopt=APT::Install-Recommends "false"']
                + ["--dpkgopt=path-exclude=/usr/share/doc/*", "--dpkgopt=path-exclude=/usr/share/locale/*"]
                + ["--dpkgopt=path-exclude=/usr/share/man/*"]
                + ['--setup-hook=mkdir -p "$1/etc/apt/auth.conf.d"']
                + ['--setup-hook=for f in /etc/apt/auth.conf; do [ ! -e "$f" ] || cp "$f" "$1/etc/apt/"; done']
                + ['--setup-hook=for f in /etc/apt/auth.conf.d/*; do [ ! -e "$f" ] || cp "$f" "$1$f"; done']
                + [f'--customize-hook=chroot "$1" sh <{customize}']
                + ['--customize-hook=rm -rf "$1"/etc/apt/auth.conf* "$1"/etc/apt/apt.conf.d/99mmdebstrap']
                + ['--customize-hook=rm -rf "$1"/etc/apt/sources.list* "$1"/etc/dpkg/dpkg.cfg.d/99mmdebstrap']
                + ['--customize-hook=rm -rf "$1"/var/lib/apt/lists "$1"/var/cache/apt/*.bin "$1"/etc/resolv.conf']
                + ["--format=tar", apt.RELEASE, str(out / "base.tar"), str(sources)]
            ),
            log,
        )
    if os.geteuid() != 0:
        run_logged(as_root(["chown", f"{os.geteuid()}:{os.getegid()}", str(out / "base.tar")]), log)


def _make_disk(base: Path, out: Path) -> None:
    """The base and our own files as an ext4 image; fakeroot keeps the owners when we are not root."""
    log = fresh_log("disk")
    tree = out / "tree"
    wrapper = [] if os.geteuid() == 0 else ["fakeroot", "--"]
    run_logged([*wrapper, "sh", "-c", _ASSEMBLE, "sh", tree, base, _GUEST, out / "root.ext4"], log)
    shutil.rmtree(tree)
