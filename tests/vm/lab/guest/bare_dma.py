# SPDX-License-Identifier: LGPL-2.1-or-later
"""One DMA from an edu into an ivshmem's BAR by VFIO alone: what p2pd is built on, without p2pd.

usage: bare_dma.py EDU_ADDRESS EDU_GROUP IVSHMEM_ADDRESS IVSHMEM_GROUP

Reads commands from standard input and answers each with a line:
    dma BYTE    fills half of edu's buffer with that byte and sends it to the BAR
    unmap       takes the BAR out of the IOMMU
"""

import ctypes
import fcntl
import mmap
import os
import struct
import sys
import time

# vfio.h: _IO(';', 100 + n)
SET_IOMMU, SET_CONTAINER, GET_DEVICE_FD, MAP_DMA, UNMAP_DMA = 0x3B66, 0x3B68, 0x3B6A, 0x3B71, 0x3B72
TYPE1V2, READ, WRITE = 3, 1, 2
CONFIG_REGION = 7

# The registers of QEMU's edu device, docs/specs/edu.
SOURCE, DESTINATION, COUNT, COMMAND = 0x80, 0x88, 0x90, 0x98
BUFFER, RUN, FROM_BUFFER = 0x40000, 1, 2
PAGE = 4096

# Not all of the buffer: QEMU 7.2 takes a transfer that ends exactly where it ends for a hardware error, and aborts.
LENGTH = 2048

# Both below the 28 bits that edu reaches.
BAR_IOVA, RAM_IOVA = 0x100000, 0x200000


def region(index: int, offset: int = 0) -> int:
    """Where vfio-pci puts a region in its file."""
    return (index << 40) + offset


def map_dma(container: int, memory: mmap.mmap, iova: int) -> None:
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    fcntl.ioctl(container, MAP_DMA, struct.pack("=IIQQQ", 32, READ | WRITE, address, iova, PAGE))


def main() -> None:
    edu_address, edu_group, ivshmem_address, ivshmem_group = sys.argv[1:]
    container = os.open("/dev/vfio/vfio", os.O_RDWR)
    groups = [os.open(f"/dev/vfio/{number}", os.O_RDWR) for number in (edu_group, ivshmem_group)]
    for group in groups:
        fcntl.ioctl(group, SET_CONTAINER, struct.pack("i", container))
    fcntl.ioctl(container, SET_IOMMU, TYPE1V2)
    edu, ivshmem = (
        fcntl.ioctl(group, GET_DEVICE_FD, bytearray(address.encode() + b"\0"))  # mutable: returns the number
        for group, address in zip(groups, (edu_address, ivshmem_address), strict=True)
    )

    def transfer(source: int, destination: int, command: int) -> None:
        for register, value in ((SOURCE, source), (DESTINATION, destination), (COUNT, LENGTH), (COMMAND, command)):
            os.pwrite(edu, struct.pack("<I", value), region(0, register))
        while struct.unpack("<I", os.pread(edu, 4, region(0, COMMAND)))[0] & RUN:
            time.sleep(0.01)

    bar = mmap.mmap(ivshmem, PAGE, offset=region(2))
    ram = mmap.mmap(-1, PAGE)
    map_dma(container, bar, BAR_IOVA)
    map_dma(container, ram, RAM_IOVA)
    for device in (edu, ivshmem):  # memory decoding and bus mastering
        os.pwrite(device, struct.pack("<H", 0x6), region(CONFIG_REGION, 4))

    for line in sys.stdin:
        match line.split():
            case ["dma", byte]:
                ram[:] = bytes([int(byte)]) * PAGE
                transfer(RAM_IOVA, BUFFER, RUN)
                transfer(BUFFER, BAR_IOVA, RUN | FROM_BUFFER)
            case ["unmap"]:
                fcntl.ioctl(container, UNMAP_DMA, struct.pack("=IIQQ", 24, 0, BAR_IOVA, PAGE))
        print("done", flush=True)


main()
