"""The whole story on real data: `make demo`.

Electricity prices of New South Wales, 1996-1997: a champion is trained and accepted and scores the
rows, its scores are monitored in real DAG runs, the margins drift when the interstate market opens,
the latch opens, and a person decides.
"""

from __future__ import annotations

import os
import shutil
import threading
import time
from contextlib import AbstractContextManager, nullcontext, suppress
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import httpx
import psutil
import typer
from rich.table import Table

from ops import backfill, stack, stack_processes, stack_settings, whole_windows
from ops.landing import land_electricity
from ops.progress import bar, out, peak_memory, timed
from ops.rest import Airflow
from ops.stack_settings import APPROVER, OPERATOR, ROOT, Settings, StackError, settings_of

if TYPE_CHECKING:
    from tasks.ledger.ledger import Ledger

HOME = ROOT / ".run" / "demo"
MODEL = "electricity"
MONITOR, RETRAIN, SCORE = (f"{dag}.{MODEL}" for dag in ("monitor", "retrain", "score"))
FORTNIGHT = timedelta(days=14)
START = datetime(1996, 12, 3, tzinfo=UTC)  # the first champion is accepted here
QUIET, DRIFTING, AFTER = 13, 3, 4  # windows in each part of the story


class Answer(StrEnum):
    """Who answers the approvals, and how."""

    ASK = "ask"
    YES = "yes"
    NO = "no"


def main(
    approve: Annotated[Answer, typer.Option(help="ask a person, or answer for them")] = Answer.ASK,
    home: Annotated[Path, typer.Option(help="emptied first")] = HOME,
) -> None:
    """Run the demo."""
    home = home.resolve()
    try:
        _tell(_Story(home, approve))
        if approve is Answer.ASK:
            out.print("Everything keeps running so that you can look around. Ctrl-C stops it.")
            with suppress(KeyboardInterrupt):
                threading.Event().wait()
    except KeyboardInterrupt:
        out.print("\nStopping.")
        raise typer.Exit(130) from None
    except (StackError, TimeoutError, DemoError, httpx.HTTPError) as error:
        out.print(f"[red]{error}[/]\nThe logs are in {home}/logs and {home}/airflow/logs.")
        raise typer.Exit(1) from None
    finally:
        stack_processes.stop(home)


def _tell(story: _Story) -> None:
    started = time.monotonic()
    _replace_other_demo(story.home)
    story.prepare()
    with peak_memory(story.home) as peak:
        story.bootstrap()
        story.quiet_past()
        story.drift()
        if story.decided():
            story.measure_after()
            story.compare()
        else:
            story.ask_again()
    out.print(
        f"Wall time {time.monotonic() - started:.0f} s, "
        f"peak memory {peak['bytes'] / 1e9:.2f} GB of all processes together."
    )
    out.print(f"All of it, window by window: [bold]make status MODEL={MODEL}[/]")


def _replace_other_demo(home: Path) -> None:
    """End a demo that still runs here: at its own end it would stop this one's stack."""
    note = home.with_suffix(".pid")
    if note.exists():
        with suppress(psutil.NoSuchProcess):
            other = psutil.Process(int(note.read_text()))
            if "ops.demo" in other.cmdline():
                other.kill()
                other.wait(10)
    note.parent.mkdir(parents=True, exist_ok=True)
    note.write_text(str(os.getpid()))


class DemoError(Exception):
    """The story took another turn than it should have."""


class _Story:
    def __init__(self, home: Path, answer: Answer) -> None:
        self.home = home
        self.reply = answer
        self.settings: Settings
        self.operator: Airflow
        self.approver: Airflow

    def prepare(self) -> None:
        stack_processes.stop(self.home)
        shutil.rmtree(self.home, ignore_errors=True)
        self.settings = settings_of(self.home, approvers=stack.approvers())
        with timed("Landing 2.6 years of half-hourly prices, one file a day"):
            land_electricity(self.home / "landing" / MODEL)
        with timed("Starting Airflow and MLflow"):
            stack.start(self.home, self.settings)
        self.operator = self._as(OPERATOR)
        self.approver = self._as(APPROVER)
        self.operator.wait_for_dags([MONITOR, RETRAIN, SCORE])
        stack.show_address(self.settings)

    def _as(self, user: str) -> Airflow:
        return Airflow(self.settings.airflow_url, user, self.settings.passwords[user])

    def bootstrap(self) -> None:
        conf = {"reason": "bootstrap", "training_window": "140d", "until": START.isoformat()}
        with timed("Training the first champion on 140 days; ada accepts it"):
            run = self.operator.trigger(RETRAIN, {"conf": conf})
            for step in ("retrain", "promote"):
                self._asked(run, step)
                self._answer(run, step, "Approve", "first champion")
            self._ends(RETRAIN, run)

    def quiet_past(self) -> None:
        last = START + QUIET * FORTNIGHT
        span = ("--from-date", START.isoformat(), "--to-date", (last - FORTNIGHT).isoformat())
        for dag, doing in ((SCORE, "Scoring the quiet past"), (MONITOR, "Monitoring its scores")):
            with bar(doing, QUIET) as advance, self._waits(dag):
                backfill.create(self.home, self.operator, dag, *span, "--max-active-runs", "3")
                self._count(dag, QUIET, advance)

    def _waits(self, dag: str) -> AbstractContextManager[None]:
        """Let the monitor wait until all scores are there: each of them would start a run."""
        return self.operator.paused(MONITOR) if dag == SCORE else nullcontext()

    def _count(self, dag: str, wanted: int, advance: Any) -> None:
        def finished() -> bool:
            runs = [r for r in self._good_runs(dag) if r["run_type"] == "backfill"]
            ended: int = sum(r["state"] == "success" for r in runs)
            advance(ended)
            return ended >= wanted

        self.operator.until(finished, f"{wanted} windows")

    def _good_runs(self, dag: str) -> list[dict[str, Any]]:
        runs = self.operator.runs(dag)
        if failed := [r["dag_run_id"] for r in runs if r["state"] == "failed"]:
            raise DemoError(f"{dag} failed: {', '.join(failed)}")
        return runs

    def drift(self) -> None:
        with bar("The interstate market has opened", DRIFTING) as advance:
            for k in range(DRIFTING):
                self._score(QUIET + k)
                advance(k + 1)
        self.proposal = self.operator.until(self._newest_proposal, "the latch to open", 30)
        out.print(f"[bold red]The latch opened.[/] A retrain run waits: {self.proposal}")

    def _newest_proposal(self) -> str | None:
        runs = [r["dag_run_id"] for r in self.operator.runs(RETRAIN)]
        return runs[-1] if len(runs) > 1 else None

    def _score(self, index: int) -> None:
        """Score a window. Its scores start the monitor; return when it has measured them."""
        start = START + index * FORTNIGHT
        run = self.operator.trigger(SCORE, {"conf": {"window": start.isoformat()}})
        self._ends(SCORE, run)

        def measured() -> bool:
            self._good_runs(MONITOR)
            return any(o.window_start == start for o in self._ledger.observations(MODEL))

        self.operator.until(measured, f"the scores from {start:%Y-%m-%d} to be measured")

    @cached_property
    def _ledger(self) -> Ledger:
        from tasks.ledger.ledger import Ledger

        return Ledger(f"sqlite:///{self.home / 'ledger.db'}")

    def decided(self) -> bool:
        """Return whether the candidate was promoted."""
        for step, doing in (
            ("retrain", "Training, calibrating and gating the candidate"),
            ("promote", "Promoting it"),
        ):
            detail = self._asked(self.proposal, step)
            if self.reply is Answer.ASK:
                self._invite(detail)
                with out.status("waiting for you"):
                    recorded = partial(self._decision, self.proposal, step)
                    self.operator.until(recorded, "an answer", 86_400)
            else:
                option = "Approve" if self.reply is Answer.YES else "Reject"
                out.print(f"ada answers over REST: [bold]{option}[/]")
                self._answer(self.proposal, step, option, f"demo: {self.reply}")
            if self._decision(self.proposal, step) != "approved":
                self._ends(RETRAIN, self.proposal)
                return False
            with timed(doing):
                if step == "retrain":
                    self._asked(self.proposal, "promote")
                else:
                    self._ends(RETRAIN, self.proposal)
        return True

    def _answer(self, run: str, step: str, option: str, comment: str) -> None:
        self.approver.answer(self._asked(run, step), option, {"comment": comment})
        self.operator.until(partial(self._decision, run, step), "the answer to be recorded")

    def _decision(self, run: str, step: str) -> str | None:
        """Return what the ledger has on a step of a proposal."""
        decisions = self._ledger.decisions(MODEL)
        return next((d.answer for d in decisions if (d.proposal, d.step) == (run, step)), None)

    def _invite(self, detail: dict[str, Any]) -> None:
        task = detail["task_instance"]
        place = f"/dags/{task['dag_id']}/runs/{task['dag_run_id']}/tasks/{task['task_id']}"
        text = (
            f"Open   [bold]{self.settings.airflow_url}{place}/required_actions[/]\n"
            f"or click [bold]Required Actions[/] on the home page at {self.settings.airflow_url}\n"
            f"Log in as [bold]{APPROVER}[/] with [bold]"
            f"{self.settings.passwords[APPROVER]}[/], read the brief, then Approve or Reject."
        )
        # No box around it: a box would cut the address.
        out.print(f"\n[bold red]{detail['subject']}[/]\n{text}\n")

    def _asked(self, run: str, step: str) -> dict[str, Any]:
        def find() -> dict[str, Any] | None:
            if self.operator.state(RETRAIN, run) == "failed":
                raise DemoError(f"{RETRAIN} {run} failed")
            mine = [
                d
                for d in self.operator.waiting(RETRAIN)
                if d["task_instance"]["dag_run_id"] == run
                and d["task_instance"]["task_id"] == f"approve_{step}"
            ]
            return mine[0] if mine else None

        return self.operator.until(find, f"approve_{step} of {run}")

    def _ends(self, dag: str, run: str) -> None:
        if self.operator.finished(dag, run) == "failed":
            raise DemoError(f"{dag} {run} failed")

    def measure_after(self) -> None:
        text = "The new champion scores, of the first windows half of the keys"
        with bar(text, AFTER) as advance:
            for k in range(AFTER):
                self._score(QUIET + DRIFTING + k)
                advance(k + 1)
        for k in range(AFTER):
            out.print(self._each_side(self._after(k)))
        told = self._canary_ended()
        out.print(f"The canary is over: {told}." if told else "The canary goes on.")

    def _after(self, k: int) -> datetime:
        return START + (QUIET + DRIFTING + k) * FORTNIGHT

    def _each_side(self, start: datetime) -> str:
        """Return what the monitor found of each version that scored rows of a window."""
        seen = [o for o in self._ledger.history(MODEL) if o.window_start == start]
        sides = [
            f"version {o.version} on {o.numbers.accepted} rows "
            f"{o.figures['accuracy']:.3f} accurate, {o.verdict}"
            for o in sorted(seen, key=lambda o: o.version)
        ]
        return f"  {start:%Y-%m-%d}: {'; '.join(sides)}"

    def _canary_ended(self) -> str | None:
        """Return why the ledger says that the canary is over."""
        decisions = self._ledger.decisions(MODEL)
        return next((d.comment for d in decisions if d.step == "canary"), None)

    def compare(self) -> None:
        starts = [self._after(k) for k in range(AFTER)]
        with timed("Letting both score whole windows"):
            environment = stack_settings.environment(self.home, self.settings)
            found = whole_windows.compared(environment, MODEL, starts, (1, 2))
        table = Table(title="Old champion → new, on windows neither has seen", title_justify="left")
        table.add_column("window from", no_wrap=True)
        for name in whole_windows.METRICS:
            table.add_column(name.replace("_", " "), justify="right", no_wrap=True)
        rows = [[of[v][name] for name in whole_windows.METRICS for v in (1, 2)] for of in found]
        for start, row in zip(starts, rows, strict=True):
            table.add_row(f"{start:%Y-%m-%d}", *_pairs(row))
        table.add_section()
        means = [sum(column) / len(rows) for column in zip(*rows, strict=True)]
        table.add_row("mean", *_pairs(means), style="bold")
        out.print(table)

    def ask_again(self) -> None:
        with timed("The latch rests for 28 days; then the same episode asks again"):
            for k in range(2):
                self._score(QUIET + DRIFTING + k)
            again = self.operator.until(
                lambda: run if (run := self._newest_proposal()) != self.proposal else None,
                "the second proposal",
                30,
            )
        out.print(f"Rejected and recorded; the champion stayed. After the rest: {again}")


def _pairs(figures: list[float]) -> list[str]:
    """Return `old → new` for figures that alternate between the two."""
    pairs = zip(figures[::2], figures[1::2], strict=True)
    return [f"{old:.3f} → {new:.3f}" for old, new in pairs]


if __name__ == "__main__":
    typer.run(main)
