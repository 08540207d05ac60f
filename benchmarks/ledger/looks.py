"""What is asked of a ledger all the time, each in a process of its own.

Whatever a process has to import for it is imported before.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import redirect_stdout
from datetime import UTC, datetime, timedelta
from os import devnull

import sqlalchemy as sa

from benchmarks.ledger import made
from benchmarks.ledger.timing import Told, timed, use_folder
from benchmarks.ledger.years import MODEL
from tasks.ledger import sealing
from tasks.ledger.ledger import Ledger
from tasks.ledger.records import Notice
from tasks.ledger.tables import OBSERVATIONS
from tasks.notices.events import ModelFacts
from tasks.notices.kept_look import read_all, read_to_tell
from tasks.notices.owed import subscription
from tasks.notices.sender import due_messages
from tasks.spec.model import ModelSpec
from tasks.spec.windows import Window
from tasks.validation.checked_rows import Checked

_NOTHING = Checked(
    problem="no rows",
    rows=0,
    accepted=0,
    quarantined=0,
    checks=(),
    warnings=(),
    data_digest="0" * 64,
    seen_digest="0" * 64,
    quarantine=(),
)


def judge(models: int, windows: int) -> Told:
    """Do what the tasks of a monitor run ask of the ledger, for a window without rows."""
    from tasks.flows import ending, monitor
    from tasks.flows.window_steps import Measured, Validated

    use_folder(models)
    spec = made.spec(MODEL)
    newest = made.START + _recorded() * made.DAY
    window = Window(newest, newest + made.DAY)
    validated = Validated(version=1, rows_of=None, logged=False, checked=_NOTHING, report="")
    measured = Measured(validated=validated, summary=None, problem="no rows", warnings=())

    def work() -> None:
        monitor.judge(spec, window, measured)
        known = monitor.status_now(spec)
        ending.notice(spec, lambda dag, run: "active", datetime.now(UTC), known)
        monitor.canary_told(spec, known)
        monitor.action(spec, known=known)

    return timed(work)


def _recorded() -> int:
    """Return how many windows of the model there are."""
    with Ledger.open().at_one_moment() as link:
        mine = OBSERVATIONS.c.model == MODEL
        query = sa.select(sa.func.count()).select_from(OBSERVATIONS).where(mine)
        return int(link.execute(query).scalar_one())


def tell(models: int, windows: int) -> Told:
    """Print the status of the model, as the command does."""
    from tasks.cli.status_command import status

    use_folder(models)
    with open(devnull, "w") as nowhere, redirect_stdout(nowhere):
        return timed(lambda: status(MODEL))


def notices(models: int, windows: int) -> Told:
    """Find what is to be told once one window came, after a look that told the rest."""
    return _look_to_tell(models, read_to_tell)


def notices_of_all(models: int, windows: int) -> Told:
    """Find the same with all windows read and folded."""
    return _look_to_tell(models, lambda spec, ledger, now: read_all(spec, ledger))


def _look_to_tell(models: int, read: Callable[[ModelSpec, Ledger, datetime], ModelFacts]) -> Told:
    use_folder(models)
    spec = made.spec(MODEL).model_copy(update={"notify": {"owners": "info"}})
    ledger = Ledger.open()
    hears = Notice(
        model=MODEL,
        event=subscription("info"),
        channel="owners",
        attempt=0,
        severity="info",
        message="from here on",
    )
    ledger.claim(hears)
    now = datetime.now(UTC) + timedelta(hours=1)
    due_messages(read(spec, ledger, now), now, "", again=False)
    _one_more()
    return timed(lambda: due_messages(read(spec, ledger, now), now, "", again=False))


def overview(models: int, windows: int) -> Told:
    """Show the page of all models once one window came, in a process that knew the rest."""
    from tasks.views.board import Board

    use_folder(models)
    board = Board()
    specs = [board.specs().usable[MODEL]]
    board.standings(specs)
    _one_more()
    return timed(lambda: board.standings(specs))


def page(models: int, windows: int) -> Told:
    """Show the page of the model once one window came, in a process that knew the rest."""
    from tasks.views.board import Board
    from tasks.views.model_page import model_page

    use_folder(models)
    board = Board()

    def work() -> None:
        known = board.status(board.specs().usable[MODEL])
        questions = board.questions(known.spec)
        standing = board.standing_of(known)
        times = board.recorded(known)
        model_page(known, standing, datetime.now(UTC), base="", times=times, questions=questions)

    work()
    _one_more()
    return timed(work)


def scraped(models: int, windows: int) -> Told:
    """Scrape all models once one window came, in a process that knew the rest."""
    from tasks.views.exposition import Exposition

    use_folder(models)
    exposition = Exposition()

    def work() -> None:
        exposition.page("application/openmetrics-text; version=1.0.0")

    work()
    _one_more()
    return timed(work)


def _one_more() -> None:
    number = _recorded()
    with Ledger.open()._engine.begin() as link:
        row = made.observation(MODEL, number, random.Random(number))
        sealing.append(link, OBSERVATIONS, row)


def audited(models: int, windows: int) -> Told:
    """Verify all that the ledger holds about the model."""
    from tasks.audit import verification
    from tasks.ledger import seals

    use_folder(models)
    ledger = Ledger.open()

    def work() -> None:
        fault = verification.ledger_fault(MODEL, ledger.trail(MODEL), seals.trusted())
        if fault:
            raise SystemExit(fault)

    return timed(work)


LOOKS = {
    step.__name__: step
    for step in (judge, tell, notices, notices_of_all, overview, page, scraped, audited)
}
