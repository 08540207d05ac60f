"""What `python -m tasks doctor` shows: what is not well, with its remedy, and what is well."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from textwrap import wrap
from typing import Any

from rich.console import Console
from rich.markup import escape

from tasks.bounds import UNPRINTABLE
from tasks.cli.console import Column, out, tabulate
from tasks.doctor.examination import Examined

_STYLES = {"ill": "bold red", "warning": "yellow", "unseen": "dim", "well": "green"}


def show_doctor(found: Sequence[Examined], *, wide: bool = False, out: Console = out) -> None:
    """Print what is not well as a table, and name the checks that found nothing."""
    columns = (
        Column("check"),
        Column("state", whole=True),
        Column("what, and the remedy"),
        Column("remedy", only_wide=True),
    )
    rows = []
    barred: dict[str, list[str]] = {}
    for one in found:
        if one.barred_by is not None:
            barred.setdefault(one.barred_by, []).append(one.name)
            continue
        for finding in one.findings:
            about = f"{finding.model}: " if finding.model else ""
            what, remedy = _plain(about + finding.finding, wide), _plain(finding.remedy, wide)
            told = what if wide else f"{what}\n[bold]→ {remedy}[/]"
            state = f"[{_STYLES[finding.state]}]{finding.state}[/]"
            rows.append((one.name, state, told, remedy))
    if rows:
        out.print(tabulate(columns, rows, wide=wide))
        out.print()
    for cause, names in barred.items():
        _list(out, f"not looked at, because of {cause}:", names, "bold")
    if well := [one.name for one in found if one.state == "well"]:
        _list(out, "well:", well, "green")
    counts = Counter(finding.state for one in found for finding in one.findings)
    out.print(
        f"{len(found)} checks: {counts['ill']} ill, {counts['warning']} warnings, "
        f"{counts['unseen']} unseen"
    )


def _list(out: Console, title: str, names: Sequence[str], style: str) -> None:
    """Print names behind a title, in lines that end in no space."""
    first, *more = wrap(f"{title} {', '.join(names)}", out.width, break_on_hyphens=False)
    out.print(f"[{style}]{title}[/]{escape(first.removeprefix(title))}")
    for line in more:
        out.print(escape(line))


def _plain(text: str, wide: bool) -> str:
    lines = (UNPRINTABLE.sub("�", line) for line in text.splitlines())
    return escape(" ".join(line.strip() for line in lines) if wide else "\n".join(lines))


def doctor_as_json(found: Sequence[Examined]) -> dict[str, Any]:
    """Return all findings ready for JSON; a check that found nothing is there as `well`."""
    checks = []
    for one in found:
        for finding in one.findings:
            checks.append(
                {
                    "check": one.name,
                    "state": finding.state,
                    "model": finding.model,
                    "finding": finding.finding,
                    "remedy": finding.remedy,
                }
            )
        if not one.findings:
            checks.append(
                {"check": one.name, "state": "well", "model": None, "finding": None, "remedy": None}
            )
    return {
        "schema": "gatelatch.doctor/1",
        "ill": any(one.state == "ill" for one in found),
        "checks": checks,
    }
