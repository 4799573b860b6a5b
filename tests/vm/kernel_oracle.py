# SPDX-License-Identifier: LGPL-2.1-or-later
"""One boot in which the kernel and p2pd are asked about every pair of NVMe controllers (lab/guest/oracle.py)."""

import errno
import json
import re
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lab import LabError, Machine, packages, vmlinux
from lab.commands import fresh_log, run_logged
from lab.kernel import Kernel
from lab.layout import oracle
from lab.machine import CARGO
from lab.vmlinux import HostBridge

_ASK = Path(__file__).parent / "lab" / "guest" / "oracle.py"
_TIMEOUT = 300.0

# A disk may say that it could not read: it was asked, then, and the kernel had mapped the page for it.
_ALLOWED = (0, errno.EIO)
# p2pdma's EREMOTEIO, and what the block layer makes of it.
_REFUSED = (errno.EREMOTEIO, errno.EINVAL)

# The redirects alone: what else of ACS stands in the way of a request, the kernel does not ask for.
_ACS_REMEDY = re.compile(r"pci=config_acs=((?:[01]0[01]00[01][01]@[^;]+;?)+)")

# no_timer_check: the emulated timer is late when the host is busy, which the kernel takes for a broken one. The log has a
# line for each pair. Of systemd no more is wanted than udev, and what p2pd.service asks for.
_ARGUMENTS = ["no_timer_check", "log_buf_len=4M", "systemd.unit=sysinit.target", "modprobe.blacklist=nvme"]

# The code patching of these kernels and QEMU's emulation of several processors do not get along: now and then one of them
# runs into an instruction that is half written.
_PROCESSORS = 1

Pair = tuple[str, str]


@dataclass(frozen=True)
class Boot:
    """A machine to ask. `entries`: what its kernel has in place of some of its host bridges, and p2pd beside its own."""

    cpu: str
    iommu: bool
    entries: tuple[HostBridge, ...] = ()
    arguments: tuple[str, ...] = ()


@dataclass(frozen=True)
class Answers:
    """What the kernel did and what p2pd says, of each ordered pair."""

    pairs: list[Pair]
    kernel: list[dict[str, Any]]
    p2pd: list[dict[str, Any]]

    @property
    def allowed(self) -> set[Pair]:
        return {pair for pair, told in zip(self.pairs, self.kernel, strict=True) if told["errno"] in _ALLOWED}

    @property
    def refused(self) -> set[Pair]:
        return set(self.pairs) - self.allowed

    def differences(self) -> list[str]:
        """Where p2pd does not say what the kernel did. An unknown is a difference, too: everything is known here."""
        found = []
        for pair, kernel, p2pd in zip(self.pairs, self.kernel, self.p2pd, strict=True):
            told = p2pd["kernel"]["map_type"]
            wanted = ("bus-address", "through-host-bridge") if pair in self.allowed else ("not-supported",)
            if p2pd["kernel"]["present"] != "yes" or told not in wanted:
                found.append(f"{pair[0]} -> {pair[1]}: errno {kernel['errno']}, p2pd says {told}")
        return found

    def acs_remedies(self) -> dict[Pair, list[str]]:
        """What p2pd would tell the kernel about functions that redirect, FLAGS@FUNCTION, for each pair with such a remedy."""
        remedies = {}
        for pair, p2pd in zip(self.pairs, self.p2pd, strict=True):
            for blocker in p2pd["blockers"]:
                if match := _ACS_REMEDY.fullmatch(blocker["remedy"]):
                    remedies[pair] = match[1].split(";")
        return remedies


def ask(boot: Boot, kernel: Kernel, debs: Path, seed: int, name: str) -> Answers:
    """Boots, asks and checks that the kernel's own answers fit together."""
    layout = oracle(seed)
    with tempfile.TemporaryDirectory(prefix="p2pd-oracle-") as directory:
        place = Path(directory)
        with Machine.boot(
            layout=layout,
            kernel_to_boot=replace(kernel, vmlinuz=_kernel_for(boot, kernel, place)),
            cargo=_load(boot, debs, place),
            cpu=boot.cpu,
            processors=_PROCESSORS,
            arguments=[*_ARGUMENTS, *([] if boot.iommu else ["intel_iommu=off"]), *boot.arguments],
            name=name,
        ) as guest:
            try:
                told = _ask(guest, len(layout.disks))
            except LabError as error:
                raise LabError(f"{error}\n{guest.report()}") from error
    _check(told, kernel.release, layout.disks)
    return Answers([(a, b) for a, b in told["pairs"]], told["kernel"], told["p2pd"])


def _ask(guest: Machine, controllers: int) -> dict[str, Any]:
    unpack = f"tar -xf {CARGO}/root.tar -C / --no-same-owner --keep-directory-symlink"
    guest.run(f"{unpack} && systemctl daemon-reload && systemctl start p2pd.service", timeout=_TIMEOUT)
    told: dict[str, Any] = json.loads(guest.run(f"python3 {CARGO}/{_ASK.name} {controllers}", timeout=_TIMEOUT).text)
    return told


def _kernel_for(boot: Boot, kernel: Kernel, place: Path) -> Path:
    """The kernel that has the entries; Debian's own as it is when there are none."""
    if not boot.entries:
        return kernel.vmlinuz
    path = place / "vmlinux"
    path.write_bytes(vmlinux.with_host_bridges(vmlinux.unpack(kernel.vmlinuz), boot.entries))
    return path


def _load(boot: Boot, debs: Path, place: Path) -> Path:
    """The packages unpacked: nothing here needs what is done at their installation."""
    root = place / "root"
    root.mkdir()
    for deb in debs.glob("*.deb"):
        run_logged(["dpkg-deb", "--extract", deb, root], fresh_log("oracle-unpack"))
    configuration = root / "etc" / "p2pd"
    (configuration / "platform.d").mkdir(parents=True, exist_ok=True)
    (configuration / "p2pd.toml").write_text(packages.CONFIGURATION)
    if boot.entries:
        (configuration / "platform.d" / "laboratory.toml").write_text(_platform_file(boot.entries))
    cargo = place / "cargo"
    cargo.mkdir()
    shutil.make_archive(str(cargo / "root"), "tar", root)
    shutil.copy(_ASK, cargo)
    return cargo


def _platform_file(entries: Sequence[HostBridge]) -> str:
    return "unsafe = true\n" + "".join(
        f'\n[[host_bridge]]\nid = "{entry.vendor:04x}:{entry.device:04x}"\nsame_bridge_only = {str(entry.same_bridge_only).lower()}\n'
        'what = "the laboratory\'s"\nsource = "the kernel that was patched so"\n'
        for entry in entries
    )


def _check(told: dict[str, Any], release: str, disks: dict[str, int]) -> None:
    """What the test builds on. A read of ordinary memory shows that a refusal is about the memory."""
    if told["release"] != release:
        raise LabError(f"Linux {told['release']} runs, not {release}")
    if told["controllers"].keys() != disks.keys():
        raise LabError(f"there are {sorted(told['controllers'])}, not {sorted(disks)}")
    failed = {name: controller["errno"] for name, controller in told["controllers"].items() if controller["errno"]}
    if failed:
        raise LabError(f"reads of ordinary memory failed: {failed}")
    for pair, answer in zip(told["pairs"], told["kernel"], strict=True):
        is_refused = answer["errno"] in _REFUSED
        if not is_refused and answer["errno"] not in _ALLOWED:
            raise LabError(f"{pair}: errno {answer['errno']} is neither a yes nor a no")
        if is_refused != answer["logged"]:
            raise LabError(f"{pair}: errno {answer['errno']}, but the kernel's log says otherwise")
