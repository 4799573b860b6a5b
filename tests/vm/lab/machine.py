# SPDX-License-Identifier: LGPL-2.1-or-later
"""A running machine: QEMU, the ways into it, and its end."""

import contextlib
import logging
import os
import random
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Self

from . import image, kernel
from .agent import DEFAULT_TIMEOUT, Agent, CommandFailed, Process, Result
from .commands import fresh_log, run_logged, tail
from .errors import LabError
from .kernel import Kernel
from .layout import ROOT_BUS, Layout, standard
from .qmp import Qmp

log = logging.getLogger("lab")

# DMAR: [DMA Write NO_PASID] Request device [05:00.0] fault addr 0x100000 [fault reason 0x05] PTE Write access is not set
# Newer kernels say the domain, too.
_FAULT = re.compile(
    r"DMAR: .*Request device \[(?:0000:)?(?P<device>[0-9a-f]{2}:[0-9a-f.]+)\] fault addr (?P<iova>0x[0-9a-f]+)"
)

Hotplug = Literal["pciehp", "acpi"]

BOOT_TIMEOUT = 300.0
CARGO = "/srv/cargo"


class Machine:
    """A guest that has booted. Made by `boot`, which also ends it."""

    def __init__(
        self,
        layout: Layout,
        directory: Path,
        console: Path,
        qemu_log: Path,
        process: subprocess.Popen[bytes],
        hotplug: Hotplug,
    ) -> None:
        self.layout = layout
        self.hotplug = hotplug
        self.console = console
        self._qemu_log = qemu_log
        self._directory = directory
        self._process = process
        self._addresses: dict[str, str] = {}
        self._wait_for_sockets()
        self.qmp_channel = Qmp(directory / "qmp")
        self.agent = Agent(directory / "agent")

    # --- its life

    @classmethod
    @contextlib.contextmanager
    def boot(
        cls,
        *,
        layout: Layout | None = None,
        kernel_to_boot: Kernel | None = None,
        cargo: Path | None = None,
        cpu: str = "EPYC",
        arguments: Sequence[str] = (),
        hotplug: Hotplug = "pciehp",
        processors: int = 2,
        name: str = "machine",
    ) -> Iterator[Self]:
        """Boots and waits until systemd is content; QEMU is killed on the way out, whatever happens.

        cargo: a directory that the guest gets, read-only, at /srv/cargo.
        arguments: more of the kernel's command line.
        hotplug: by the port itself, as servers do, or by ACPI as QEMU does unless told.
        """
        if layout is None:
            layout = standard(int(os.environ.get("LAB_SEED") or random.randrange(1 << 32)))
        booted = kernel_to_boot or kernel.debian()
        root = image.make()
        console = fresh_log(f"{name}-console")
        # Short, because a socket's path is limited to 107 bytes.
        directory = Path(tempfile.mkdtemp(prefix="p2pd-lab-"))
        try:
            disks = {"root": root} | ({"modules": booted.modules} if booted.modules else {})
            if cargo is not None:
                disks["cargo"] = _pack(cargo, directory / "cargo.ext4")
            command = _command(layout, directory, console, booted, disks, cpu, processors, arguments, hotplug)
            qemu_log = fresh_log(f"{name}-qemu")
            log.info("booting Linux %s on %s; seed %d; console in %s", booted.release, cpu, layout.seed, console)
            with open(qemu_log, "ab") as out:
                out.write((" ".join(command) + "\n").encode())
                out.flush()
                process = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=directory, start_new_session=True
                )
            try:
                machine = cls(layout, directory, console, qemu_log, process, hotplug)
                try:
                    machine._wait_until_booted(cargo is not None)
                    yield machine
                finally:
                    machine.agent.close()
                    machine.qmp_channel.close()
            except LabError as error:
                if process.poll() is not None:
                    raise LabError(f"{error}\n{qemu_log} ends:\n{tail(qemu_log, 10)}") from error
                raise
            finally:
                process.kill()
                process.wait()
        finally:
            shutil.rmtree(directory, ignore_errors=True)

    def _wait_for_sockets(self) -> None:
        """QEMU makes them before the guest runs its first instruction."""
        deadline = time.monotonic() + 30
        while not all((self._directory / name).is_socket() for name in ("qmp", "agent", "shell")):
            self.check_alive()
            if time.monotonic() > deadline:
                raise LabError("QEMU did not open its sockets in time")
            time.sleep(0.05)

    def _wait_until_booted(self, has_cargo: bool) -> None:
        started = time.monotonic()
        try:
            self.agent.wait_until_up(started + BOOT_TIMEOUT, self.check_alive)
            log.info("the guest answers after %.0f s, waiting for the rest of its boot", time.monotonic() - started)
            left = BOOT_TIMEOUT - (time.monotonic() - started)
            state = self.run("systemctl is-system-running --wait", check=False, timeout=left)
            if state.text.strip() != "running":
                failed = self.run("systemctl --failed --no-legend; systemctl list-jobs", check=False).text
                raise LabError(f"the guest's systemd is {state.text.strip()}, not running:\n{failed}")
            if has_cargo:
                disk = "/dev/disk/by-id/virtio-cargo"  # which udev may not have come to yet
                self.run(
                    f"udevadm wait --timeout={BOOT_TIMEOUT:.0f} {disk} && mkdir -p {CARGO} && mount -o ro {disk} {CARGO}",
                    timeout=BOOT_TIMEOUT,
                )
        except LabError as error:
            raise LabError(f"the guest did not boot: {error}\n{self.console} ends:\n{tail(self.console)}") from error
        log.info("booted in %.0f s", time.monotonic() - started)

    def check_alive(self) -> None:
        if self._process.poll() is not None:
            raise LabError(f"QEMU has ended with status {self._process.returncode}\n{tail(self.console)}")

    # --- what tests do with it

    def run(
        self,
        command: str | Sequence[str],
        *,
        user: str | None = None,
        check: bool = True,
        timeout: float = DEFAULT_TIMEOUT,
        stdin: bytes | str = b"",
        env: Mapping[str, str] | None = None,
    ) -> Result:
        """Runs a command (a string is the shell's) to its end, as root or as another user."""
        process = self.agent.start(command, user, env)
        if stdin:
            process.write(stdin)
        process.close_stdin()
        result = process.wait(timeout)
        if check and result.status != 0:
            raise CommandFailed(result)
        return result

    def start(
        self, command: str | Sequence[str], *, user: str | None = None, env: Mapping[str, str] | None = None
    ) -> Process:
        """Starts a command and lets it run; it can be talked with, signalled and waited for."""
        return self.agent.start(command, user, env)

    def put(self, path: str, content: bytes | str, *, mode: int = 0o644) -> None:
        """Writes a file in the guest."""
        self.run(["/bin/sh", "-c", 'cat >"$1" && chmod "$2" "$1"', "put", path, f"{mode:o}"], stdin=content)

    def get(self, path: str) -> bytes:
        """Reads a file of the guest."""
        return self.run(["cat", path]).stdout

    def memory(self, device: str) -> bytes:
        """The bytes of a target's BAR as the host sees them, without asking the guest."""
        return (self._directory / f"{device}.memory").read_bytes()

    def write_memory(self, device: str, content: bytes, offset: int = 0) -> None:
        """Changes a target's BAR from outside, as a device that writes to its own memory would."""
        with open(self._directory / f"{device}.memory", "r+b", buffering=0) as file:
            file.seek(offset)
            file.write(content)

    def forget_memory(self, device: str) -> None:
        """Of a device that has gone: one of another size may come by that name."""
        (self._directory / f"{device}.memory").unlink()

    def physical_memory(self, address: int, length: int) -> bytes:
        """What a processor would read there, read by QEMU: BARs of devices without a memory-backend-file."""
        file = self._directory / "physical"
        self.qmp("pmemsave", val=address, size=length, filename=str(file))
        return file.read_bytes()

    def bars(self, address: str) -> dict[int, tuple[int, int]]:
        """Of a function, those that are assigned: index to address and size."""
        lines = self.run(f"cat /sys/bus/pci/devices/{address}/resource").text.splitlines()[:6]
        regions = {index: [int(word, 16) for word in line.split()] for index, line in enumerate(lines)}
        return {index: (begin, end - begin + 1) for index, (begin, end, flags) in regions.items() if flags}

    def address(self, device: str) -> str:
        """Where the firmware put a device of the layout, as QEMU knows it: `0000:03:00.0`."""
        if device not in self._addresses:
            self._addresses = _addresses(self.qmp("query-pci"))
        try:
            return self._addresses[device]
        except KeyError:
            raise LabError(f"there is no device {device}; there are {', '.join(sorted(self._addresses))}") from None

    def qmp(self, command: str, **arguments: object) -> Any:
        """A command to QEMU, such as `device_add`."""
        self._addresses = {}  # it may have moved something
        return self.qmp_channel.execute(command, **arguments)

    def dmar_faults(self, address: str | None = None) -> list[int]:
        """The addresses of all DMA faults that the kernel has logged, of one function or of any."""
        lines = self.run("dmesg").text.splitlines()
        faults = (_FAULT.search(line) for line in lines)
        return [int(f["iova"], 16) for f in faults if f and address in (None, f"0000:{f['device']}")]

    def install(self, directory: str = f"{CARGO}/packages", timeout: float = 180.0) -> Result:
        """Installs packages from a directory of the guest, as a user would who downloaded them."""
        command = f"cd {directory} && apt-get install -y -q ./*.deb"
        return self.run(command, env={"DEBIAN_FRONTEND": "noninteractive"}, timeout=timeout)

    def report(self, lines: int = 40) -> str:
        """What to look at after a failure."""
        if (status := self._process.poll()) is not None:
            complaints = [line for line in tail(self._qemu_log, 1000).splitlines() if line.startswith("qemu: ")]
            return "\n".join([f"QEMU has ended with status {status} ({self._qemu_log})", *complaints, tail(self.console)])
        parts = []
        commands = {
            "journal": f"journalctl --no-pager --quiet -o short-monotonic -n {lines}",
            "failed units": "systemctl --failed --no-legend --plain",
        }
        for title, command in commands.items():
            try:
                text = self.run(command, check=False, timeout=20).text
            except LabError as error:
                text = f"({error})\n"
            parts.append(f"--- {title}\n{text}")
        parts.append(f"--- {self.console}\n{tail(self.console, lines)}\n")
        return "".join(parts)

    @property
    def shell_socket(self) -> Path:
        """The other end of the guest's /dev/hvc0."""
        return self._directory / "shell"


def _pack(directory: Path, disk: Path) -> Path:
    """A directory as a disk image."""
    size = sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())
    run_logged(
        ["mke2fs", "-q", "-t", "ext4", "-O", "^has_journal", "-E", "root_owner=0:0", "-d", directory]
        + [disk, f"{(size >> 20) * 5 // 4 + 16}M"],
        fresh_log("cargo"),
    )
    return disk


def _addresses(buses: list[dict[str, Any]]) -> dict[str, str]:
    """Ids to addresses, out of what `query-pci` answers."""
    found: dict[str, str] = {}
    for bus in buses:
        for device in bus["devices"]:
            if device.get("qdev_id"):
                place = f"0000:{device['bus']:02x}:{device['slot']:02x}.{device['function']}"
                found[device["qdev_id"]] = place
            if "pci_bridge" in device:
                inner = [{"devices": device["pci_bridge"].get("devices", [])}]
                found |= _addresses(inner)
    return found


def _command(
    layout: Layout,
    directory: Path,
    console: Path,
    booted: Kernel,
    disks: Mapping[str, Path],
    cpu: str,
    processors: int,
    arguments: Sequence[str],
    hotplug: Hotplug,
) -> list[str]:
    """QEMU's command line."""
    # quiet: each line on an emulated serial port costs milliseconds; the journal has them all.
    # mitigations=off: there is nobody to protect from in an emulated CPU, and it is slow enough.
    cmdline = ["console=ttyS0", "quiet", "panic=-1", "mitigations=off", "intel_iommu=on", "net.ifnames=0", *arguments]
    words = ["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"]
    words += ["-machine", "q35", "-accel", "tcg,thread=multi", "-cpu", cpu, "-smp", str(processors), "-m", "1024"]
    if hotplug == "pciehp":
        words += ["-global", "ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off"]
    words += ["-kernel", str(booted.vmlinuz), "-initrd", str(booted.initrd), "-append", " ".join(cmdline)]
    words += ["-chardev", f"file,id=console,path={console}", "-serial", "chardev:console"]
    words += ["-qmp", f"unix:{directory}/qmp,server=on,wait=off"]
    words += ["-device", "intel-iommu,intremap=on"]

    def device(driver: str, properties: Mapping[str, object]) -> list[str]:
        return ["-device", ",".join([driver, *(f"{key}={value}" for key, value in properties.items())])]

    for name, path in disks.items():
        words += ["-drive", f"if=none,id=disk_{name},file={path},format=raw,snapshot=on"]
        slot = layout.draw_slot(ROOT_BUS)
        words += device("virtio-blk-pci", {"drive": f"disk_{name}", "serial": name, "bus": ROOT_BUS, "addr": slot})
    words += device("virtio-rng-pci", {"bus": ROOT_BUS, "addr": layout.draw_slot(ROOT_BUS)})
    words += device("virtio-serial-pci", {"id": "serial", "bus": ROOT_BUS, "addr": layout.draw_slot(ROOT_BUS)})
    for name in ("shell", "agent"):
        words += ["-chardev", f"socket,id={name},path={directory}/{name},server=on,wait=off"]
    words += device("virtconsole", {"bus": "serial.0", "chardev": "shell"})
    words += device("virtserialport", {"bus": "serial.0", "chardev": "agent", "name": "org.p2pd.lab.agent"})

    for name, size in layout.memories.items():
        path = directory / f"{name}.memory"
        with open(path, "wb") as file:
            file.truncate(size)
        words += ["-object", f"memory-backend-file,id={name}_memory,size={size},share=on,mem-path={path}"]
    for name, size in layout.disks.items():
        path = directory / f"{name}.disk"
        with open(path, "wb") as file:
            file.truncate(size)
        words += ["-drive", f"if=none,id={name}_disk,file={path},format=raw"]
    for name, content in layout.firmware_files.items():
        path = directory / name.replace("/", "_")
        path.write_text(content)
        words += ["-fw_cfg", f"name={name},file={path}"]
    for driver, properties in layout.devices:
        words += device(driver, properties)
    return words
