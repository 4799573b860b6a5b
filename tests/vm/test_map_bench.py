# SPDX-License-Identifier: LGPL-2.1-or-later
"""How much p2pd adds to mapping and unmapping: the ioctls alone and p2pd's calls, one after the other on one machine.

The goal is the ioctls and one Ping for each of the two calls, within a fifth. Figures are printed, and fail nothing.
"""

from collections.abc import Iterator

import pytest
from lab import Machine
from plugging import plug_target, unplug_target

pytestmark = pytest.mark.kernels("debian", "built")

BENCH = "/srv/cargo/tools/map-bench"
LARGEST = 64 << 20
LENGTHS = {"4 KiB": 4 << 10, "1 MiB": 1 << 20, "64 MiB": LARGEST}
GOAL = 1.2


@pytest.fixture
def target(guest: Machine) -> Iterator[str]:
    address = plug_target(guest, "spare_root", LARGEST)
    guest.run(f"p2p-client bind {address}")
    yield address
    unplug_target(guest)


def medians(guest: Machine, *words: object) -> dict[str, float]:
    shown = guest.run([BENCH, *(str(word) for word in words)], timeout=120.0).text
    return {name: float(value) for name, value in (word.split("=", 1) for word in shown.split())}


@pytest.mark.each_back_end
def test_map_and_unmap(guest: Machine, edu: str, target: str, back_end: str, figures: list[str]) -> None:
    guest.run(f"p2p-client bind {edu} && p2p-client enable {target}:2 && p2p-client offer {edu} --group p2p")
    asked = {name: medians(guest, "p2pd", back_end, edu, target, 2, length) for name, length in LENGTHS.items()}
    guest.run(f"p2p-client withdraw {edu} --force && p2p-client disable {target}:2 --force")
    bare = {
        name: medians(guest, "bare", back_end, edu, target, 2, length, int(asked[name]["cookie"]))
        for name, length in LENGTHS.items()
    }

    release = guest.run("uname -r").text.strip()
    for name in LENGTHS:
        ours, ping = asked[name]["map"] + asked[name]["unmap"], asked[name]["ping"]
        ioctls = bare[name]["map"] + bare[name]["unmap"]
        ratio = ours / (ioctls + 2 * ping)
        figures.append(
            f"{f'{name}, {back_end}, Linux {release}':<52} {ratio:>12.2f} x  <= {GOAL:<9} {'met' if ratio <= GOAL else 'NOT met'}"
            f"   p2pd {ours:.0f} us; ioctls {ioctls:.0f} us, Ping {ping:.0f} us"
        )
