"""A lineage as a model card in Markdown, for people. Pure.

After Mitchell et al. (2019), Model Cards for Model Reporting.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from tasks.gates.candidate_metrics import CandidateMetrics
from tasks.gates.gate_result import GateResult
from tasks.quoting import as_code, as_text
from tasks.registry.lineage import Lineage


def card(record: Lineage, artifact_digest: str) -> str:
    """Return the model card of a candidate; holds no row."""
    data, model, adopted = record.data, record.model, record.kind == "adopt"
    rival = "no champion yet" if record.champion is None else f"version {record.champion}"
    return "\n\n".join(
        [
            f"# {model}",
            f"Proposed as {as_code(record.proposal)} ({as_text(record.reason)}) by "
            f"{as_text(record.proposer)}; owner: {as_text(record.owner)}; compared with {rival}.",
            "## Intended use\n\n"
            f"Predicts {as_code(record.label)} ({as_text(_listed(record.classes))})"
            f"{_features(record.features)}. It is a margin classifier, and its decision "
            "value is watched for drift. The calibration error below says how far its "
            "probabilities can be trusted.",
            f"## {'Rows that calibrated and judged it' if adopted else 'Training data'}\n\n"
            + _table(
                ("rows from", "until", "rows", "accepted", "data digest"),
                [
                    (
                        _moment(data.window.start.isoformat()),
                        _moment(data.window.end.isoformat()),
                        f"{data.rows:,}",
                        f"{data.accepted:,}",
                        f"`{data.digest}`",
                    )
                ],
            ),
            "## How it was made\n\n" + _table(("part", "value"), _made(record)),
            "## Metrics on the newest rows\n\n" + _metrics(record.metrics, adopted),
            *_limits(record.metrics),
            "## Gates\n\n" + _table(("gate", "verdict", "why"), map(_gate, record.gates)),
            "## Who approved it\n\n"
            f"`python -m tasks audit {model}` says who approved and promoted it, and on which "
            "evidence. The tags of this version name a promotion too.",
            f"Artifact digest `{artifact_digest}`. {_again(record)}",
        ]
    )


def _again(record: Lineage) -> str:
    if record.kind == "adopt":
        return "It was fit elsewhere, so it cannot be trained again here."
    return f"`python -m tasks reproduce {record.model} VERSION` trains it again and compares."


def _made(record: Lineage) -> Iterable[tuple[str, str]]:
    made = record.made_with
    adopted = record.kind == "adopt"
    if record.metrics.logged_as is not None:
        yield (
            "model",
            f"not here: production logs its margins as {as_text(record.metrics.logged_as)}",
        )
    yield "training", "elsewhere; adopted" if adopted else _options(record.training)
    yield "calibration", _options(record.calibration)
    yield "spec", f"`{record.spec_digest}`"
    yield "preprocessing", f"`{record.preprocessing[:12]}`"
    commit = f", commit `{made.commit[:12]}`" if made.commit else ""
    yield "gatelatch", f"{made.code}{commit}"
    yield "packages", as_text(_listed(f"{name} {v}" for name, v in made.versions.items()))


def _metrics(metrics: CandidateMetrics, adopted: bool) -> str:
    ours, theirs = metrics.candidate, metrics.champion or {}
    rows = [
        (name.replace("_", " "), f"{value:.4g}", f"{theirs[name]:.4g}" if name in theirs else "–")
        for name, value in ours.items()
        if isinstance(value, int | float)
    ]
    seen = "neither fit nor calibration has seen"
    if adopted:
        seen = "the calibration has not seen; whether the fit has is not known here"
    judged = f"\n\n{metrics.judged_rows:,} rows that {seen}."
    if metrics.refit:
        judged += f" The model was {metrics.refit}."
    return _table(("metric", "candidate", "champion"), rows) + judged


def _limits(metrics: CandidateMetrics) -> list[str]:
    lines = [f"- {as_text(line)}" for line in metrics.warnings]
    return ["\n".join(["## What it cannot promise", "", *lines])] if lines else []


def _gate(gate: GateResult) -> tuple[str, str, str]:
    where = f" ({as_text(gate.slice)})" if gate.slice else ""
    verdict = "**failed**" if gate.verdict == "failed" else gate.verdict.replace("_", " ")
    return f"{gate.name.replace('_', ' ')}{where}", verdict, as_text(gate.reason)


def _features(features: Mapping[str, Iterable[str]]) -> str:
    named = {kind: names for kind, names in features.items() if names}
    said = (f"{kind}: {_listed(map(as_code, names))}" for kind, names in named.items())
    return f" from {'; '.join(said)}" if named else ""


def _options(options: Mapping[str, Any]) -> str:
    said = (
        f"{name} {value if isinstance(value, str) else json.dumps(value)}"
        for name, value in options.items()
        if value is not None
    )
    return as_text(_listed(said))


def _moment(iso: str) -> str:
    return iso[:16].replace("T", " ").removesuffix(" 00:00")


def _listed(words: Iterable[Any]) -> str:
    return ", ".join(map(str, words))


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    # MLflow's page sets no space between columns, so the cells bring their own.
    named = [
        tuple(f"{cell}\N{NO-BREAK SPACE}\N{EM SPACE}" for cell in row) for row in [head, *rows]
    ]
    lines = [named[0], (":---",) * len(head), *named[1:]]
    return "\n".join("| " + " | ".join(row) + " |" for row in lines)
