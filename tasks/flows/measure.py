"""Score a window's accepted rows batch by batch into summaries, in constant memory."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from tasks import store, threads
from tasks.audit.verified_model import classes_of, model_of
from tasks.classifier import capped, older_classes, scoring
from tasks.classifier.adopted import CannotScore
from tasks.classifier.finite import NotFinite
from tasks.data.frame import class_indices, feature_columns, sample_weights
from tasks.data.served_by import of_version
from tasks.drift import scored_rows
from tasks.drift.summary import merge
from tasks.drift.summary_json import summary_path, summary_to_json
from tasks.flows.observe import reference_of
from tasks.flows.window_steps import Measured, Validated
from tasks.ledger.ledger import Ledger
from tasks.ledger.logged_names import logged_names
from tasks.promotion.promotion import follow
from tasks.registry.tracking import RegistryRefused
from tasks.spec.model import ModelSpec
from tasks.spec.part import SpecError
from tasks.spec.windows import Window
from tasks.validation.checked_rows import accepted

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa

    from tasks.drift.summary import Summary


def measure(spec: ModelSpec, window: Window, validated: Validated) -> Measured:
    """Summarise the window under its version and those beside it, and keep that in the store.

    The rows are read once, whatever the number of versions.
    """
    versions = [validated, *validated.beside]
    found = _summaries(spec, window, [v for v in versions if not v.problem])
    if found:
        follow(spec, Ledger.open())
    own, *beside = (_kept(spec, window, v, found.get(v.version)) for v in versions)
    return replace(own, beside=tuple(beside))


def _kept(
    spec: ModelSpec, window: Window, validated: Validated, summary: Summary | str | None
) -> Measured:

    version, checked = validated.version, validated.checked
    measured = Measured(
        validated=replace(validated, beside=()),
        summary=None,
        problem=validated.problem,
        warnings=checked.warnings,
    )
    if isinstance(summary, str):
        return replace(measured, problem=summary)
    if summary is None:
        problem = validated.problem or (
            f"none of the {checked.accepted:,} accepted rows was scored by version {version}, "
            f"says {spec.source.version_column!r} (source.version_column); let production score "
            f"with it, or roll it back"
        )
        return replace(measured, problem=problem)
    path = summary_path(spec.model, version, window, spec.digest, checked.data_digest)
    store.write(path, json.dumps(summary_to_json(summary), separators=(",", ":")))
    warnings = (*checked.warnings, *_unknown(spec, version))
    return replace(measured, summary=path, warnings=warnings)


def _unknown(spec: ModelSpec, version: int) -> list[str]:
    """Return a sentence on the classes of the spec that a version is older than."""
    known = classes_of(spec, Ledger.open(), version)
    newer = [str(name) for name in spec.label.classes if str(name) not in known]
    if not newer:
        return []
    return [
        f"version {version} was made before the spec named class {', '.join(newer)}: rows of it "
        "are measured as if without a label; retrain"
    ]


def _summaries(
    spec: ModelSpec, window: Window, versions: list[Validated]
) -> dict[int, Summary | str]:
    """Return the summary of each version's rows, or why there is none; nothing without a row."""
    if not versions:
        return {}
    summarise, found = _summarisers(spec, versions)
    known = Ledger.open().candidates(spec.model)
    names = logged_names(spec, known, versions[0].version)
    groups: dict[int | None, list[int]] = {}
    for one in versions:
        groups.setdefault(one.rows_of, []).append(one.version)
    with threads.one_blas_thread():
        for batch in accepted(spec, window, versions[0].checked):
            for rows_of, group in groups.items():
                rows = of_version(spec, batch, rows_of, names)
                if not rows.num_rows:
                    continue
                read = (
                    feature_columns(spec, rows),
                    class_indices(spec, rows),
                    sample_weights(spec, rows),
                )
                for version in group:
                    earlier = found.get(version)
                    if isinstance(earlier, str):
                        continue
                    try:
                        summary = summarise[version](rows, *read)
                        found[version] = merge(earlier, summary) if earlier else summary
                    except (NotFinite, CannotScore) as error:
                        found[version] = f"version {version}: {error}, then run the window again"
                    except (KeyError, ValueError) as error:  # such as a feature of an older spec
                        if version == versions[0].version:
                            raise
                        found[version] = (
                            f"version {version} cannot score it: {type(error).__name__}"
                        )
    return found


def _summarisers(
    spec: ModelSpec, versions: list[Validated]
) -> tuple[dict[int, Callable[..., Summary]], dict[int, Summary | str]]:
    """Return what summarises the rows of each version, or why nothing does.

    What is wrong with a version beside the champion never keeps the window from being measured.
    """
    found: dict[int, Callable[..., Summary]] = {}
    problems: dict[int, Summary | str] = {}
    for place, one in enumerate(versions):
        try:
            found[one.version] = _summariser(spec, one.version, one.logged)
        except (RegistryRefused, SpecError) as error:
            if not place:
                raise
            problems[one.version] = str(error)
    return found, problems


def _summariser(spec: ModelSpec, version: int, logged: bool) -> Callable[..., Summary]:
    """Return what summarises a batch of rows; logged decision values go before our own."""

    ledger = Ledger.open()
    model = model_of(spec, ledger, version)
    grid = reference_of(spec, ledger, version).summary.grid
    known = classes_of(spec, ledger, version)
    # Its reference knows no other classes, so it is held against that with its own.
    own = spec.model_copy(update={"label": spec.label.model_copy(update={"classes": known})})
    at = older_classes.places(known, spec.label.names)
    margin = spec.source.margin if logged else None
    return partial(_summarise, own, at, grid, model, margin)


def _summarise(
    spec: ModelSpec,
    at: Any,
    grid: Any,
    model: Any,
    column: str | None,
    rows: pa.RecordBatch,
    columns: Any,
    label: Any,
    weight: Any,
) -> Summary:
    import numpy as np

    with np.errstate(over="ignore", invalid="ignore"):  # scores that overflow are named as such
        decision, weighed = scoring.score(model, columns)
        if column is not None:
            decision = rows.column(column).to_numpy().astype(np.float64)
        summary = scored_rows.summarise_rows(
            spec, grid, model, columns, at[label], decision, weighed, weight
        )
    return replace(summary, capped=capped.beyond(model, columns))
