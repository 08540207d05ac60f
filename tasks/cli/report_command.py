"""The command `python -m tasks report`: what happened to a model in a period, as one HTML file."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from tasks import bounds
from tasks.cli import progress
from tasks.cli.console import Model, err, fail, find_or_fail, out
from tasks.disk import whole, writing
from tasks.errors import GatelatchError
from tasks.spec.model import ModelSpec
from tasks.spec.part import SpecError

if TYPE_CHECKING:
    from tasks.ledger.chain import Trail
    from tasks.replay.trial import Stage
    from tasks.reports.report_page import Verified
    from tasks.reports.report_versions import Card, ShownVersion


def report(
    model: Model,
    since: Annotated[
        datetime | None,
        typer.Option(
            "--from",
            help="where the period begins (event time); left out: the newest 12 windows, and back "
            "to the beginning of the episode that reaches into them",
        ),
    ] = None,
    until: Annotated[
        datetime | None,
        typer.Option("--to", help="where it ends (event time); left out: with the newest row"),
    ] = None,
    to_file: Annotated[
        str | None,
        typer.Option(
            "--to-file", "-o", help="file to write; - is stdout; left out: MODEL-report.html"
        ),
    ] = None,
) -> None:
    """Write what happened to a model as one HTML file: for a review, or after an incident.

    It only reads. Exit code 0: written, and the ledger stands. 1: nothing was written, or the
    ledger that it tells of is refused or could not be verified; the message says which.
    """
    from tasks.ledger import status
    from tasks.ledger.reader import LedgerReader
    from tasks.reports.as_read import how_many
    from tasks.reports.report_page import covered, review_html
    from tasks.reports.report_period import period_of

    spec = find_or_fail(model)
    path = to_file or f"{model}-report.html"
    try:
        _require_folder(path)
        begin, end = (_moment(spec, o, m) for o, m in (("--from", since), ("--to", until)))
        with progress.bars(err) as stage, closing(LedgerReader.open_to_read()) as ledger:
            step = stage(f"reading and verifying {model}", 3)
            rows, trail = ledger.rows_and_trail(model)
            step()
            verified = _verified(model, trail)
            step()
            with _legible(model, verified):
                known = status.folded(spec, rows)
                about = covered(known, trail, period_of(known, begin, end))
                cards = _cards(model, about.versions, stage)
                page = review_html(about, verified, cards, datetime.now(UTC))
            step()
        _write(path, page)
    except GatelatchError as error:
        fail(error)
    told = f"{how_many(len(about.seen), 'window')}, {how_many(len(about.cases), 'proposal')}"
    (err if path == "-" else out).print(f"{model}: {told}, written to {path}", markup=False)
    if verified.fault:
        fail(f"{model}: {verified.fault}")


def _require_folder(path: str) -> None:
    if path != "-" and not Path(path).absolute().parent.is_dir():
        raise SpecError(f"--to-file {path}: the folder does not exist; create it")


def _moment(spec: ModelSpec, option: str, moment: datetime | None) -> datetime | None:
    if moment is None:
        return None
    zone = ZoneInfo(spec.window.timezone)
    try:
        return bounds.moment(moment.replace(tzinfo=moment.tzinfo or zone), option)
    except bounds.OutOfBounds as error:
        raise SpecError(str(error)) from None


def _verified(model: str, trail: Trail) -> Verified:
    """Return what became of the verification; a report without one says so."""
    from tasks.audit.findings import verify_trail
    from tasks.reports.report_page import Verified

    try:
        return Verified(found=verify_trail(model, trail))
    except GatelatchError as error:  # such as no key to verify with
        return Verified(problem=str(error))


@contextmanager
def _legible(model: str, verified: Verified) -> Iterator[None]:
    """Make a sentence of what cannot be read in a ledger that does not stand."""
    try:
        yield
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        if verified.fault is None or isinstance(error, GatelatchError):
            raise
        fail(
            f"{model}: {verified.fault}; nothing was written, because what stands in its rows "
            f"cannot be read ({type(error).__name__}): restore the ledger from a backup"
        )


def _cards(model: str, versions: Iterable[ShownVersion], stage: Stage) -> dict[int, Card]:
    """Return the model card of each version, of verified files; else why there is none."""
    from tasks.registry import model_card, registry
    from tasks.registry.tracking import RegistryUnreachable
    from tasks.reports.report_versions import Card

    wanted = {v.version: v.candidate.artifact_digest for v in versions if v.candidate is not None}
    if not wanted:
        return {}
    # Without an address MLflow would make a store of its own here.
    away = "" if os.environ.get("MLFLOW_TRACKING_URI") else "MLFLOW_TRACKING_URI is not set"
    found: dict[int, Card] = {}
    step = stage("model cards", len(wanted))
    for version, digest in wanted.items():
        if away:
            found[version] = Card(missing=away)
            continue
        try:
            record = registry.lineage_of(model, version, digest)
            found[version] = Card(markdown=model_card.card(record, digest))
        except RegistryUnreachable as error:
            away = str(error)  # nobody waits for it once for each version
            found[version] = Card(missing=away)
        except GatelatchError as error:
            found[version] = Card(missing=str(error))
        step()
    return found


def _write(path: str, page: str) -> None:
    if path == "-":
        with writing("standard output"):
            print(page, end="", flush=True)
        return
    with whole(Path(path), "--to-file") as place:
        place.write_text(page, encoding="utf-8")
