# SPDX-License-Identifier: LGPL-2.1-or-later
"""The table of what takes mappings away can not be empty in silence."""

import pytest
from cells import EXCUSES, Cell, Table
from lab.commands import REPOSITORY

KERNELS = {"debian": "6.1"}
SHOWN = Cell("debian", "vfio-type1", "unbind")
EXCUSED = Cell("debian", "iommufd", "unbind")


def problems(table: Table, cell: Cell) -> list[str]:
    return [line for line in table.problems(KERNELS) if line.startswith(f"{cell.kernel}, {cell.back_end}, {cell.event}:")]


def test_a_cell_without_a_test_and_without_a_reason_is_a_problem() -> None:
    assert len(problems(Table(), SHOWN)) == 1
    assert problems(Table(), EXCUSED) == []


def test_a_cell_is_enforced_when_all_of_its_tests_passed_in_the_end() -> None:
    table = Table()
    table.note(SHOWN, "one", True)
    table.note(SHOWN, "other", False)
    assert table.word(SHOWN) == "FAILED" and len(problems(table, SHOWN)) == 1
    table.note(SHOWN, "other", True)
    assert table.word(SHOWN) == "enforced" and problems(table, SHOWN) == []


def test_a_reason_why_nothing_can_show_what_a_test_shows_is_a_problem() -> None:
    table = Table()
    table.note(EXCUSED, "one", True)
    assert len(problems(table, EXCUSED)) == 1


def test_every_reason_is_printed() -> None:
    lines = "\n".join(Table().lines({kernel: "x" for kernel in ("debian", "newest", "built")}))
    for excuse in EXCUSES:
        assert excuse.reason in lines


def test_what_is_not_enforced_is_documented() -> None:
    text = " ".join((REPOSITORY / "docs" / "security.md").read_text().split())
    for excuse in EXCUSES:
        assert excuse.word == "n/a" or (excuse.document and excuse.document in text)


def test_a_test_can_not_show_what_is_no_cell() -> None:
    with pytest.raises(ValueError, match="the table has no"):
        Cell("debian", "vfio-type1", "unplugged")
