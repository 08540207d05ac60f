"""The tables of the terminal: readable at 80 columns and in a pipe, whole with `--wide`."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from rich.console import Console
from typer.testing import CliRunner

from tasks.__main__ import app
from tasks.cli import audit_tables, status_tables
from tasks.cli.console import Column, Fitted, tabulate
from tasks.ledger import status
from tasks.ledger.ledger import Ledger
from tasks.ledger.records import Observation
from tasks.spec import spec_files
from tests.replay.test_past_rows import land
from tests.support import past
from tests.support.rows import decision, observation, proposal
from tests.support.stood import statistic

CHURN: dict[str, Any] = {
    "model": "churn",
    "owner": {"name": "team", "approvers": ["ada"]},
    "source": {"path": "unused", "time": "time", "key": "id"},
    "window": {"every": "1h", "start": "2026-01-01"},
    "features": {"numeric": ["x"]},
    "label": {"column": "y", "classes": [0, 1]},
    "training": {"window": "5d"},
}
ABOVE = "above the limit: ks, wasserstein, hinge_loss, class_loss of 1, class_recall of 1, constant"
EPISODE = "churn.v1.20260101T0200.recalibrate"
WHO = "margarethe.oppen"
COMMENT = "its run was lost with the machine that it ran on, " * 6
HEADS: dict[str, list[str]] = {
    "windows": ["from", "verdict", "× limit", "accuracy", "latch", "why"],
    "proposals": ["proposal", "reason", "what became of it"],
    "promotions": ["#", "champion", "before", "for windows from", "by", "reason"],
    "audit trail": ["#", "recorded (UTC)", "by", "what"],
    "retrains": ["at", "moved by", "learnt from", "gates", "old → new"],
    "policies": ["policy", "retrains", "in vain", "accuracy", "gain", "labels", "hinge loss"],
    "sweep": ["settings", "retrains", "in vain", "accuracy", "gain"],
}
WIDE: dict[str, list[str]] = {
    "windows": ["from", "version", *HEADS["windows"][1:]],
    "proposals": ["proposal", "reason", "by", "what became of it"],
    "promotions": HEADS["promotions"],
    "audit trail": [*HEADS["audit trail"], "event time", "proposal", "why", "on which evidence"],
    "retrains": ["at", "above the limit", *HEADS["retrains"][1:]],
    "policies": [*HEADS["policies"], "violations"],
    "sweep": [*HEADS["sweep"], "hinge loss", "violations"],
}


def hour(number: int) -> datetime:
    return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=number)


def printed(*words: str) -> str:
    result = CliRunner().invoke(app, list(words))
    assert result.exit_code == 0, result.stderr
    return result.stdout


def on_terminal(show: Callable[[Console], None]) -> str:
    """Return what a terminal of 80 columns shows, without its colours."""
    file = io.StringIO()
    terminal: dict[str, Any] = {"width": 80, "force_terminal": True, "color_system": None}
    show(Console(file=file, soft_wrap=True, highlight=False, **terminal))
    return re.sub(r"\x1b\[[0-9;]*m", "", file.getvalue())


def tables(text: str) -> dict[str, list[str]]:
    """Return the lines of each table by the first words of its title, the rule left out."""
    found = {}
    for block in text.split("\n\n"):
        lines = block.splitlines()
        for at, line in enumerate(lines):
            if line and set(line) == {"─"}:
                name = next(name for name in HEADS if lines[at - 2].startswith(name))
                found[name] = [lines[at - 1], *lines[at + 1 :]]
    return found


def heads(text: str) -> dict[str, list[str]]:
    return {name: re.split(r" {2,}", lines[0].strip()) for name, lines in tables(text).items()}


def assert_fits(text: str, *names: str) -> None:
    assert heads(text) == {name: HEADS[name] for name in names}
    for lines in tables(text).values():
        assert len(lines) > 1
        assert [line for line in lines if len(line) > 80] == []
    assert "…" not in text


def seen(number: int, verdict: str, pressure: float, figures: Any) -> Observation:
    said: dict[str, Any] = {"verdict": verdict, "pressure": pressure, "figures": figures}
    window = {"window_start": hour(number), "window_end": hour(number + 1)}
    return observation(reason=ABOVE, **said, **window)


@pytest.fixture
def ledger(stores: Path, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    """Return a ledger with long reasons, names and comments."""
    monkeypatch.setenv("GATELATCH_MODELS", str(stores))
    monkeypatch.setenv("COLUMNS", "80")
    (stores / "churn.yaml").write_text(yaml.safe_dump(CHURN))
    ledger = Ledger.open()
    move: dict[str, Any] = {"version": 1, "expected": None, "by": "ada", "reason": "bootstrap"}
    ledger.promote("churn", "boot", effective_from=hour(1), **move)
    for number, verdict in enumerate(("steady", "drifting", "drifting", "insufficient"), 1):
        ledger.observe(seen(number, verdict, 1.5, {"accuracy": 0.875}))
    for number, name in enumerate((EPISODE, "manual__2026-01-14T09:00:00+00:00")):
        rows = {"trained_from": hour(1 + number), "trained_until": hour(4)}
        why = "again, with the rows of the desk"
        ledger.propose(proposal(name, reason=why, proposer=WHO, **rows))
    ledger.decide(
        decision("withdrawn", proposal=EPISODE, by=WHO, comment=COMMENT, evidence="evidence")
    )
    return ledger


def test_status_fits_80_columns_in_a_pipe(ledger: Ledger) -> None:
    assert_fits(printed("status", "churn"), "windows", "proposals", "promotions")


def test_status_fits_a_terminal_of_80_columns(ledger: Ledger) -> None:
    found = status.read(spec_files.find("churn"), ledger)
    shown = on_terminal(lambda out: status_tables.show_status(found, 30, out=out))
    assert_fits(shown, "windows", "proposals", "promotions")
    assert EPISODE in shown  # `withdraw` takes it


def test_status_shows_all_columns_with_wide_and_each_row_on_one_line(ledger: Ledger) -> None:
    shown = printed("status", "churn", "--wide")
    assert heads(shown) == {name: WIDE[name] for name in ("windows", "proposals", "promotions")}
    assert sum(line.endswith(ABOVE) for line in shown.splitlines()) == 4


def test_a_window_names_what_is_farthest_above_its_limit_and_wide_says_it_all(
    ledger: Ledger,
) -> None:
    found = (("ks", None, 1.2, False), ("class_loss", "1", 2.5, False), ("blind", None, 3.0, True))
    figures = {"statistics": [statistic(n, p, of=of, blind=b) for n, of, p, b in found]}
    ledger.observe(seen(5, "drifting", 2.5, figures))
    assert tables(printed("status", "churn"))["windows"][-1].endswith("class_loss of 1 +1")
    assert tables(printed("status", "churn", "--wide"))["windows"][-1].endswith(ABOVE)


def test_an_audit_trail_fits_80_columns_and_is_whole_in_a_pipe(ledger: Ledger) -> None:
    shown = printed("audit", "churn")
    assert_fits(shown, "audit trail")
    assert shown.count("machine") == 6


def test_a_terminal_shows_the_beginning_of_a_long_comment(ledger: Ledger) -> None:
    from tasks.audit.events import events

    trail = ledger.trail("churn")
    shown = on_terminal(
        lambda o: audit_tables.show_audit("churn", trail, events(trail), None, out=o)
    )
    assert heads(shown) == {"audit trail": HEADS["audit trail"]}
    assert max(map(len, shown.splitlines())) <= 80
    assert (shown.count("machine"), shown.count("…")) == (4, 1)


def test_an_audit_trail_shows_all_columns_with_wide_and_each_event_on_one_line(
    ledger: Ledger,
) -> None:
    shown = printed("audit", "churn", "--wide")
    assert heads(shown) == {"audit trail": WIDE["audit trail"]}
    (line,) = (line for line in shown.splitlines() if "machine" in line)
    assert (line.count("machine"), EPISODE in line, "evidence evidence" in line) == (6, True, True)


def test_a_replay_fits_80_columns_in_a_pipe_and_shows_all_columns_with_wide(
    ledger: Ledger, stores: Path
) -> None:
    columns = past.rows(2400, hourly=100)
    columns["y"][1400:] = 1 - columns["y"][1400:]
    file = land(stores, columns, "rows.csv")
    words = ["replay", "--data", str(file), "--time", "time", "--label", "y", "--window", "1h"]
    words += ["--ignore", "id", "--set", "window.min_rows=50", "--set", "latch.rest=2h"]
    words += ["--sweep", "latch.open.breaches=2,3"]
    names = ("retrains", "policies", "sweep")
    assert_fits(printed(*words), *names)
    assert heads(printed(*words, "--wide")) == {name: WIDE[name] for name in names}


def wide_as(table: Fitted, console: Console) -> list[str]:
    with console.capture() as shown:
        console.print(table)
    return shown.get().splitlines()


def test_no_word_is_cut_in_a_pipe_and_no_line_ends_in_spaces() -> None:
    name = "a" * 90
    table = tabulate([Column("one"), Column("two")], [(f"{name} and more", "b c"), ("d", "")])
    lines = wide_as(table, Console(width=80, soft_wrap=True))
    assert lines[2] == f"{name}  b c"
    assert [line for line in lines if line != line.rstrip()] == []


def test_a_long_word_on_a_terminal_is_folded_and_nothing_of_it_is_lost() -> None:
    table = tabulate([Column("one"), Column("two")], [("a" * 90, "b")])
    console = Console(width=80, force_terminal=True, color_system=None, soft_wrap=True)
    lines = wide_as(table, console)
    assert max(map(len, lines)) <= 80
    assert "".join(lines[2:]).count("a") == 90
