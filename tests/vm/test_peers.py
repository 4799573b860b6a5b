# SPDX-License-Identifier: LGPL-2.1-or-later
"""In a virtual machine everything is unknown, but what the hypervisor or an operator describes."""

import json
import os
import random
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lab import Machine, prepare
from lab.layout import ROOT_BUS, Layout

EDU, IVSHMEM = ("1234:11e8", "1af4:1100"), ("1af4:1110", "1af4:1100")


def peers_table(functions: dict[str, tuple[str, str]], writes: str = "yes", reads: str = "yes") -> str:
    lines = ["peers_format = 1"]
    for address, (device, subsystem) in functions.items():
        lines += ["[[function]]", f'address = "{address}"', f'id = "{device}"', f'subsystem = "{subsystem}"']
    for one in functions:
        for other in functions:
            if one != other:
                lines += ["[[reach]]", f'from = "{one}"', f'to = "{other}"', f'writes = "{writes}"', f'reads = "{reads}"']
    return "\n".join(lines) + "\n"


class Described:
    """An initiator and two targets on the root bus; the hypervisor says that the first of them is reached."""

    def __init__(self) -> None:
        self.layout = Layout(int(os.environ.get("LAB_SEED") or random.randrange(1 << 32)))
        slots = [self.layout.draw_slot(ROOT_BUS) for _ in range(3)]
        self.layout.edu("edu", ROOT_BUS, addr=slots[0])
        self.layout.ivshmem("told", ROOT_BUS, addr=slots[1])
        self.layout.ivshmem("untold", ROOT_BUS, addr=slots[2])
        self.edu, self.told, self.untold = (f"0000:00:{int(slot, 16):02x}.0" for slot in slots)
        self.layout.firmware_files["opt/org.p2pd/peers"] = peers_table({self.edu: EDU, self.told: IVSHMEM})


@pytest.fixture(scope="module")
def described() -> Described:
    return Described()


@pytest.fixture(scope="module")
def in_guest(described: Described) -> Iterator[Machine]:
    prepared = prepare.everything()
    with tempfile.TemporaryDirectory() as cargo:
        loaded = prepared.load(Path(cargo))
        with Machine.boot(
            layout=described.layout, kernel_to_boot=prepared.kernel, cargo=loaded, name="peers"
        ) as machine:
            machine.install()
            yield machine


def verdict(guest: Machine, initiator: str, target: str) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(guest.run(f"p2p-client check --json {initiator} {target}:2", check=False).text)
    return answer


def codes(of: dict[str, Any]) -> list[str]:
    return [blocker["code"] for blocker in of["blockers"]]


def problems(guest: Machine) -> str:
    return "\n".join(json.loads(guest.run("p2p-client version --json").text)["daemon"]["problems"])


def test_what_the_hypervisor_describes_is_known(in_guest: Machine, described: Described) -> None:
    untold = verdict(in_guest, described.edu, described.untold)
    assert (untold["route"], untold["evidence"], untold["possible"]) == ("none", "rules", "unknown")
    assert "virtual-topology" in codes(untold)
    told = verdict(in_guest, described.edu, described.told)
    assert (told["route"], told["evidence"], told["possible"]) == ("described", "described", "yes"), told
    assert (told["writes"], told["reads"]) == ("yes", "yes")
    assert any("qemu_fw_cfg" in note for note in told["notes"]), told["notes"]


def test_so_is_what_an_operator_describes(in_guest: Machine, described: Described) -> None:
    in_guest.put("/etc/p2pd/peers.toml", peers_table({described.edu: EDU, described.untold: IVSHMEM}, reads="no"))
    in_guest.run("systemctl reload p2pd.service")
    told = verdict(in_guest, described.edu, described.untold)
    assert (told["possible"], told["writes"], told["reads"]) == ("no", "yes", "no"), told
    assert "described-no" in codes(told), "who asks for reads, too, gets none"


def test_a_table_that_is_broken_turns_nothing_and_is_reported(in_guest: Machine, described: Described) -> None:
    whole = peers_table({described.edu: EDU, described.untold: IVSHMEM})
    in_guest.put("/etc/p2pd/peers.toml", whole)
    in_guest.run("systemctl restart p2pd.service")
    assert verdict(in_guest, described.edu, described.untold)["possible"] == "yes"
    assert "peers.toml" not in problems(in_guest)

    in_guest.put("/etc/p2pd/peers.toml", whole[:-40])
    in_guest.run("systemctl restart p2pd.service")
    assert verdict(in_guest, described.edu, described.untold)["possible"] == "unknown"
    assert verdict(in_guest, described.edu, described.told)["possible"] == "yes", "the hypervisor's holds"
    assert "peers.toml:" in problems(in_guest)
