"""This machine's clock, held against those of the database server, MLflow and the newest row."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import sqlalchemy as sa

from tasks.doctor.finding import Finding
from tasks.doctor.patient import Patient
from tasks.ledger.tables import DECISIONS, OBSERVATIONS, PROMOTIONS, PROPOSALS

FAR, OFF = timedelta(seconds=60), timedelta(seconds=5)
_HTTP_SECONDS = 5
_AHEAD = "the newest row of the ledger"


@dataclass(frozen=True, kw_only=True)
class ClockOffset:
    """How much earlier this machine's clock is than another; negative: later.

    `sure` is how far off that may be.
    """

    whose: str
    offset: timedelta
    sure: timedelta


def look_at_clocks(patient: Patient) -> Iterator[Finding]:
    """Yield which clocks differ from this one."""
    yield from clock_findings(_of_ledger(patient))
    uri = patient.environment.get("MLFLOW_TRACKING_URI") or ""
    if uri.startswith(("http://", "https://")):
        yield from clock_findings(_of_server("MLflow's server", uri, patient.clock))


def clock_findings(offsets: Iterable[ClockOffset]) -> Iterator[Finding]:
    """Yield which clocks differ. Pure."""
    for one in offsets:
        least = abs(one.offset) - one.sure
        if least <= OFF:
            continue
        seconds = f"{abs(one.offset).total_seconds():.0f} s"
        behind = "behind" if one.offset > timedelta(0) else "ahead of"
        yield Finding(
            state="ill" if least > FAR else "warning",
            finding=f"this machine's clock is {seconds} {behind} that of {one.whose}",
            remedy="set the wrong one right with NTP (`timedatectl`): tokens expire too early, "
            "and proposals end at the wrong time",
        )


def _of_ledger(patient: Patient) -> Iterator[ClockOffset]:
    clock = patient.clock
    with patient.reader.at_one_moment() as link:
        if link.dialect.name == "postgresql":
            before = clock()
            theirs = link.execute(sa.text("select clock_timestamp()")).scalar_one()
            after = clock()
            half = (after - before) / 2
            yield ClockOffset(
                whose="the ledger's server", offset=theirs - (before + half), sure=half
            )
        newest = [
            link.execute(sa.select(t.c.recorded_at).order_by(t.c.id.desc()).limit(1)).scalar()
            for t in (OBSERVATIONS, PROPOSALS, DECISIONS, PROMOTIONS)
        ]
    # A row of the past says nothing; one of the future says that a clock went back.
    ahead = max((at for at in newest if at is not None), default=None)
    if ahead is not None and (offset := ahead - clock()) > timedelta(0):
        yield ClockOffset(whose=_AHEAD, offset=offset, sure=timedelta(0))


def _of_server(whose: str, url: str, clock: Callable[[], datetime]) -> Iterator[ClockOffset]:
    before = clock()
    try:
        asked = f"{url.rstrip('/')}/health"
        with urllib.request.urlopen(asked, timeout=_HTTP_SECONDS) as answer:
            said = answer.headers.get("Date")
    except urllib.error.HTTPError as error:
        said = error.headers.get("Date")
    except (OSError, ValueError):
        return  # the check `mlflow` says so
    half = (clock() - before) / 2
    try:
        theirs = parsedate_to_datetime(str(said)).astimezone(UTC)
    except ValueError:
        return
    second = timedelta(seconds=1)  # the header has no fractions
    yield ClockOffset(whose=whose, offset=theirs + second / 2 - (before + half), sure=half + second)
