"""What a candidate that is never here is known by: its name in production, and its margins.

They are kept in the store under the digest of their content, as a pipeline that is handed in is.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks import bounds, formats, store
from tasks.classifier.adopted import NotAdoptable, logged_pipeline
from tasks.classifier.training_rows import TrainingRows
from tasks.data.margin_file import margins_of_rows, read_margins
from tasks.data.served_by import of_version
from tasks.ledger.ledger import Ledger
from tasks.ledger.logged_names import name_in_production
from tasks.ledger.reader import LedgerReader
from tasks.ledger.records import Proposal
from tasks.promotion.proposal_reason import ProposalReason
from tasks.spec.model import ModelSpec

if TYPE_CHECKING:
    import pyarrow as pa

MARGINS_FORMAT = 1
_META = b"gatelatch"


@dataclass(frozen=True, kw_only=True)
class HandedMargins:
    """What production calls a candidate, and its margins as `read_margins` returns them.

    `margins` is None where they are those that production logged under that name.
    """

    logged_as: str
    margins: pa.Table | None


def keep_margins(spec: ModelSpec, logged_as: str, path: Path | None = None) -> str:
    """Check a candidate's margins and keep them; return the digest that names them.

    Without a file they are those that production logged: so begins the first champion.

    Raises
    ------
    tasks.classifier.adopted.NotAdoptable
        If the model is here, or the name is one that production cannot use for it.
    tasks.data.margin_file.MarginsRefused, tasks.data.readers.SourceError
        If the file does not say one margin for each row.
    tasks.disk.Unusable
        If it cannot be kept. Nothing of it is left behind, in any case.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not spec.margins_only:
        raise NotAdoptable(
            f"margins alone are for a model whose spec says training.estimator: margins_only, and "
            f"{spec.model} says {spec.training.estimator}; hand in its pipeline"
        )
    name = bounds.name(logged_as, "--as").strip()
    _need_own_name(spec, Ledger.open(), name)
    table = pa.table({"key": pa.array([], pa.string())})
    if path is not None:
        table = read_margins(spec, path)
    said = {formats.KEY: MARGINS_FORMAT, "logged_as": name, "from_file": path is not None}
    content = io.BytesIO()
    kept = table.replace_schema_metadata({_META: json.dumps(said, sort_keys=True)})
    pq.write_table(kept, content, compression="zstd")
    digest = hashlib.sha256(content.getvalue()).hexdigest()
    store.write(_path(spec, digest), content.getvalue())
    return digest


def _need_own_name(spec: ModelSpec, ledger: LedgerReader, name: str) -> None:
    """Raise NotAdoptable if a version that production serves or served has the name."""
    promoted = {p.version for p in ledger.promotions(spec.model)}
    for candidate in ledger.candidates(spec.model):
        if candidate.version in promoted and name_in_production(candidate) == name:
            raise NotAdoptable(
                f"--as {name}: version {candidate.version} was champion under this name, so rows "
                "of both could not be told apart; let production log another one"
            )


def handed_margins(spec: ModelSpec, asked: Proposal) -> HandedMargins:
    """Return what a proposal names by the digest in its evidence.

    Raises
    ------
    tasks.classifier.adopted.NotAdoptable
        If the store has no such file, or another one under its name; if a candidate beside a
        champion brings no margins of the champion's rows.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    digest = ProposalReason.parse(asked.reason).file or ""
    place, again = _path(spec, digest), f"hand it in again with `python -m tasks adopt {spec.model}"
    try:
        content = store.read_bytes(place)
    except store.NotThere:
        raise NotAdoptable(
            f"{asked.proposal}: {store.url(place)} is not there; {again} --margins FILE --as NAME`"
        ) from None
    if hashlib.sha256(content).hexdigest() != digest:
        raise NotAdoptable(
            f"{asked.proposal}: {store.url(place)} is not the file that was handed in; {again} "
            "--margins FILE --as NAME`"
        )
    table = pq.read_table(pa.BufferReader(content))
    said = json.loads(table.schema.metadata[_META])
    known = {MARGINS_FORMAT: formats.as_it_is}
    said = formats.load_stored(f"file of margins {place}", said, known)
    if asked.champion is not None and not said["from_file"]:
        raise NotAdoptable(
            f"{asked.proposal}: the margins that production logged of {said['logged_as']} are of "
            f"other rows than those of version {asked.champion}, so nobody could compare them; "
            f"{again} --margins FILE --as {said['logged_as']}`, with its margins of the rows that "
            "the champion scored"
        )
    return HandedMargins(logged_as=said["logged_as"], margins=table if said["from_file"] else None)


def name_asked(spec: ModelSpec, ledger: LedgerReader, asked: Proposal) -> str | None:
    """Return what production is to call the candidate of a proposal; None of one that is here."""
    if not spec.margins_only:
        return None
    if asked.kind == "adopt":
        return handed_margins(spec, asked).logged_as
    return name_in_production(ledger.version(spec.model, asked.champion or 0))


def logged_rows(
    spec: ModelSpec, asked: Proposal, batches: Iterable[pa.RecordBatch]
) -> Iterator[pa.RecordBatch]:
    """Yield those of a proposal's rows whose logged margins count for it.

    Of a model that is never here these are the champion's; before the first one, the candidate's,
    or all where it brings margins of its own. Of any other model all count.
    """
    name = _counted_name(spec, asked)
    for batch in batches:
        yield batch if name is None else of_version(spec, batch, 1, {name: 1})


def _counted_name(spec: ModelSpec, asked: Proposal) -> str | None:
    if not spec.margins_only:
        return None
    if asked.champion is not None:
        return name_in_production(Ledger.open().version(spec.model, asked.champion))
    if asked.kind != "adopt":
        return None
    handed = handed_margins(spec, asked)
    return handed.logged_as if handed.margins is None else None


def counted_told(spec: ModelSpec, asked: Proposal) -> str:
    """Return whose rows `logged_rows` yields, for a sentence; empty if it yields all."""
    name = _counted_name(spec, asked)
    return "" if name is None else f" that {spec.source.version_column} says {name} scored"


def beside_champion(spec: ModelSpec, asked: Proposal, rows: TrainingRows) -> TrainingRows:
    """Return the rows with the candidate's margins in their frame, and the champion's beside.

    Raises as `handed_margins` and `margins_of_rows` do.
    """
    return _joined(spec, asked, rows)[0]


def known_beforehand(spec: ModelSpec, asked: Proposal, rows: TrainingRows) -> list[str]:
    """Return sentences for those who are asked about what was handed in."""
    count = _joined(spec, asked, rows)[1]
    unused = f"{count:,} margins of the file are of no labelled row here, and are not used"
    name = handed_margins(spec, asked).logged_as
    return [f"production is to log its margins as {name}", *([unused] if count else [])]


def _joined(spec: ModelSpec, asked: Proposal, rows: TrainingRows) -> tuple[TrainingRows, int]:
    handed = handed_margins(spec, asked)
    if handed.margins is None:
        return rows, 0
    column = spec.source.margin or ""
    named = f"the margins of {handed.logged_as}"
    theirs, more = margins_of_rows(handed.margins, rows.facts.key, named)
    logged = rows.frame[column].to_numpy() if asked.champion is not None else None
    return replace(rows, frame=rows.frame.assign(**{column: theirs}), logged=logged), more


def pipeline_of_logged(spec: ModelSpec, asked: Proposal) -> Any:
    """Return the pipeline of a version that is never here; raises as `handed_margins` does."""
    handed_margins(spec, asked)
    return logged_pipeline(spec.source.margin or "")


def _path(spec: ModelSpec, digest: str) -> str:
    return f"{store.ADOPTED}{spec.model}/{digest}.margins.parquet"
