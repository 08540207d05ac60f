"""The matrix of faults, as it is printed."""

from __future__ import annotations

from ops.faults.life import STAGES
from ops.faults.matrix import Cell, table


def test_the_matrix_has_a_row_for_each_stage_and_a_column_for_each_fault() -> None:
    cells = [Cell("none", stage.task, 2.0) for stage in STAGES]
    cells += [
        Cell("worker", "measure", 41.4, tries=2),
        Cell("worker", "judge", 3.0, caught=False),
        Cell("redis", "judge", 420.0, wrong="not after 420 s"),
    ]
    lines = table(cells).splitlines()
    assert lines[0] == "| stage | none | worker | redis |"
    assert len(lines) == 2 + len(STAGES)
    assert "| monitor: measure | 2 | 41 |  |" in lines
    assert "| monitor: judge | 2 | missed | **no** |" in lines
