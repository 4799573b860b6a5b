# SPDX-License-Identifier: LGPL-2.1-or-later
"""The kernel proper inside a vmlinuz, and p2pdma's list of host bridges in it.

A Debian kernel of our own would take long to build. Other entries in its list are bytes in its read-only data, and QEMU
boots the ELF file as it is (Documentation/arch/x86/boot.rst has the header, PVH is how it is entered).
"""

import struct
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .errors import LabError

_ZSTD = bytes.fromhex("28b52ffd")


@dataclass(frozen=True)
class HostBridge:
    """An entry of p2pdma.c pci_p2pdma_whitelist[]. device None: any of the vendor."""

    vendor: int
    device: int | None
    same_bridge_only: bool = False


_ENTRY = struct.Struct("<III")
_ANY = 0xFFFFFFFF  # PCI_ANY_ID
_FIRST_ENTRIES = [HostBridge(0x8086, 0x3C00, True), HostBridge(0x8086, 0x3C01, True)]


def _pack(entry: HostBridge) -> bytes:
    return _ENTRY.pack(entry.vendor, _ANY if entry.device is None else entry.device, entry.same_bridge_only)


def unpack(vmlinuz: Path) -> bytes:
    """The ELF file: what the boot header calls the payload, without the length behind it."""
    image = vmlinuz.read_bytes()
    setup_sectors = image[0x1F1] or 4
    offset, length = struct.unpack_from("<II", image, 0x248)
    start = (setup_sectors + 1) * 512 + offset
    payload = image[start : start + length - 4]
    if not payload.startswith(_ZSTD):
        raise LabError(f"{vmlinuz} is not packed by zstd")
    done = subprocess.run(["zstd", "--decompress", "--stdout"], input=payload, capture_output=True, check=False)
    if done.returncode != 0:
        raise LabError(f"{vmlinuz} can not be unpacked: {done.stderr.decode()}")
    return done.stdout


def _table(vmlinux: bytes) -> int:
    """Where the list is. By its first entries: there is no symbol to go by, and they have not changed since 2019."""
    pattern = b"".join(map(_pack, _FIRST_ENTRIES))
    if vmlinux.count(pattern) != 1:
        raise LabError(f"the list of host bridges is in this kernel {vmlinux.count(pattern)} times, not once")
    return vmlinux.index(pattern)


def host_bridges(vmlinux: bytes) -> list[HostBridge]:
    """The kernel's list, in its order."""
    entries = []
    for vendor, device, flags in _ENTRY.iter_unpack(vmlinux[_table(vmlinux) :][: 1000 * _ENTRY.size]):
        if vendor == 0:  # the end
            return entries
        entries.append(HostBridge(vendor, None if device == _ANY else device, bool(flags & 1)))
    raise LabError("the kernel's list of host bridges has no end")


def with_host_bridges(vmlinux: bytes, entries: Sequence[HostBridge]) -> bytes:
    """A kernel that has these in the place of its second entry and following: of the first the compiler took the vendor
    into the code."""
    patched = bytearray(vmlinux)
    start = _table(vmlinux) + _ENTRY.size
    packed = b"".join(map(_pack, entries))
    patched[start : start + len(packed)] = packed
    return bytes(patched)
