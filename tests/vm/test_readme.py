# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the README shows is what is run and built."""

import re

import quickstart
from lab.commands import REPOSITORY

README = (REPOSITORY / "README.md").read_text()

_ADDRESS = re.compile(r"\b[0-9a-f]{4,}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]\b")


def block(marker: str) -> str:
    found = re.search(rf"<!-- {re.escape(marker)} -->\n```\w*\n(.*?)```\n", README, re.DOTALL)
    assert found, f"no block after <!-- {marker} -->"
    return found[1]


def test_the_transcript_has_the_commands_of_quickstart() -> None:
    names = {"edu": "ADDRESS", "ivshmem": "ADDRESS", "nvme": "ADDRESS", "letter": "LETTER"}
    wanted = [step.command.format(**names) for step in quickstart.STEPS]
    shown = re.findall(r"^(?:# |\w+\$ )(.*)$", block("transcript"), re.MULTILINE)
    masked = [re.sub(r"letter [0-9a-f]{8} ", "LETTER", _ADDRESS.sub("ADDRESS", command)) for command in shown]
    assert masked == wanted


def test_the_program_is_the_one_that_is_built() -> None:
    program = (REPOSITORY / "client" / "examples" / "minimal.cpp").read_text()
    assert block("minimal.cpp") == program[program.index("#include <p2pclient") :]
