"""What the processes of tasks wrote, as tables: milliseconds of each part in each task."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from statistics import mean, median
from typing import Any

from benchmarks.orchestration.watched import IMPORTS, SUPERVISOR

Told = list[dict[str, Any]]
_SLOW = 5.0  # milliseconds from which on an import is named


def profile(told: Told, dags: Collection[str]) -> str:
    """Return the tables of tasks of these DAGs; an empty one is shown once, for all of them."""
    groups: dict[str, Told] = {}
    watching: dict[str, Told] = {}
    for one in told:
        if one.get("dag") in dags:
            name = one["task"] if "monitor" in one["dag"] else "empty"
            (watching if one.get(SUPERVISOR) else groups).setdefault(name, []).append(one)
    parts = sorted(
        {part for group in groups.values() for one in group for part in one["parts"]},
        key=lambda part: -sum(_ms(group, part, 0) for group in groups.values()),
    )
    lines = [
        f"| ms (of the processor) | {' | '.join(groups)} |",
        f"| --- | {' | '.join('---:' for _ in groups)} |",
    ]
    for part in parts:
        cells = (_cell(group, part) for group in groups.values())
        lines.append(f"| {part} | {' | '.join(cells)} |")
    for named, of in (("process of the task", groups), ("process that watches it", watching)):
        sums = (
            f"{_of(of[g], 'seconds'):.0f} ({_of(of[g], 'cpu'):.0f})" if g in of else ""
            for g in groups
        )
        lines.append(f"| {named} | {' | '.join(sums)} |")
    return "\n".join([*lines, "", *_imports(groups)])


def _imports(groups: dict[str, Told]) -> Iterable[str]:
    for name, group in groups.items():
        took: dict[str, list[float]] = {}
        for one in group:
            for module, seconds in one["imported"].items():
                took.setdefault(module, []).append(seconds * 1000)
        slow = {m: sum(ms) / len(group) for m, ms in took.items()}
        named = sorted((m for m in slow if slow[m] > _SLOW), key=lambda m: -slow[m])
        if named:
            yield f"{IMPORTS} of {name}: " + ", ".join(f"{m} {slow[m]:.0f} ms" for m in named)


def _cell(group: Told, part: str) -> str:
    calls = mean(one["parts"].get(part, (0, 0, 0))[2] for one in group)
    if not calls:
        return ""
    return f"{_ms(group, part, 0):.0f} ({_ms(group, part, 1):.0f}) in {calls:.0f}"


def _ms(group: Told, part: str, which: int) -> float:
    return 1000 * float(median(one["parts"].get(part, (0, 0, 0))[which] for one in group))


def _of(group: Told, what: str) -> float:
    return 1000 * float(median(one[what] for one in group))
