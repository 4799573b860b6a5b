# SPDX-License-Identifier: LGPL-2.1-or-later
"""What p2p-client lists agrees, function by function and BAR by BAR, with lspci and sysfs read independently."""

import subprocess
from pathlib import Path

from lab import Machine, tools
from lab.commands import REPOSITORY, fresh_log

COMPARE = REPOSITORY / "tests" / "compare-list"


def test_in_the_guest(guest: Machine) -> None:
    guest.put("/tmp/compare-list", COMPARE.read_text(), mode=0o755)
    guest.run("p2p-client list --json >/tmp/list.json && /usr/bin/python3 /tmp/compare-list /tmp/list.json")


def test_in_the_guest_with_functions_on_vfio_pci(guest: Machine, edu: str, ivshmem: str) -> None:
    guest.run(f"p2p-client bind {edu} && p2p-client bind {ivshmem}")
    test_in_the_guest(guest)


def test_on_this_machine(tmp_path: Path) -> None:
    """The daemon as it is built, on a bus of its own, reading the real /sys."""
    build = tools.build_targets(["p2pd", "p2p-client"], fresh_log("programs"))
    bus = subprocess.Popen(
        ["dbus-daemon", "--session", "--nofork", "--print-address"], stdout=subprocess.PIPE, text=True
    )
    try:
        assert bus.stdout
        address = bus.stdout.readline().strip()
        arguments = [f"--bus={address}", f"--runtime-directory={tmp_path}"]
        daemon = subprocess.Popen([build / "daemon" / "p2pd", *arguments], stderr=subprocess.PIPE, text=True)
        try:
            assert daemon.stderr
            while "serves" not in (line := daemon.stderr.readline()):
                assert line, "p2pd has ended"
            client = [build / "client" / "p2p-client", f"--bus={address}", "list", "--json"]
            listed = subprocess.run(client, check=True, capture_output=True, text=True).stdout
        finally:
            daemon.terminate()
            daemon.wait(30)
    finally:
        bus.terminate()
        bus.wait(30)
    compared = subprocess.run(
        ["/usr/bin/python3", COMPARE], input=listed, capture_output=True, text=True, check=False
    )
    assert compared.returncode == 0, compared.stdout + compared.stderr
