"""The model spec of one monitored model. Parsed with the DAGs, so it imports only pydantic."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from typing import Any, Self

from pydantic import Field, field_validator, model_validator

from tasks.spec import form
from tasks.spec.approval_options import Approval, Owner
from tasks.spec.gate_options import Gates
from tasks.spec.notify_options import Notify
from tasks.spec.part import Name, SpecPart, Tag
from tasks.spec.policy_options import Drift, LatchPolicy, Shadow, Slo
from tasks.spec.retention_options import Retention
from tasks.spec.review_options import Review
from tasks.spec.rule_options import Expectation, Validation
from tasks.spec.scoring_options import WINDOW_COLUMNS, Scoring
from tasks.spec.source_options import Features, LabelColumn, NoFeatures, Source
from tasks.spec.training_options import ELSEWHERE, Calibration, Training
from tasks.spec.window_options import WindowGrid

_TAGS = 10  # of a model


class ModelSpec(SpecPart):
    model: Name = Field(description="name of the model: in DAG ids, MLflow and the ledger")
    owner: Owner
    source: Source
    window: WindowGrid
    features: Features
    label: LabelColumn
    expectations: tuple[Expectation, ...] = Field(
        default=(), description="rules for rows, on top of those derived from the spec"
    )
    validation: Validation = Validation()
    drift: Drift = Drift()
    latch: LatchPolicy = LatchPolicy()
    training: Training
    calibration: Calibration = Calibration()
    gates: Gates = Field(default_factory=Gates.default)
    shadow: Shadow = Shadow()
    approval: Approval = Approval()
    slo: Slo | None = Field(default=None, description="an error budget; left out: none")
    notify: Notify = Field(
        default={},
        description="who is told: names of channels, each with the least severity that it wants "
        "to hear (`info`, `ticket`, `page`), such as `{owners: info, on_call: page}`; empty: "
        "nobody",
    )
    scoring: Scoring | None = Field(
        default=None,
        description="let the DAG `score.MODEL` score the rows of each window with its champion; "
        "left out: somebody else does",
    )
    review: Review | None = Field(
        default=None,
        description="let the monitor choose rows of each window that people label; left out: none",
    )
    retention: Retention = Retention()
    tags: tuple[Tag, ...] = Field(
        default=(),
        max_length=_TAGS,
        description="short words that the margin view can filter by, such as `eu` or `tier:1`",
    )

    @field_validator("tags")
    @classmethod
    def _each_once(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if twice := [tag for tag, count in Counter(value).items() if count > 1]:
            raise ValueError(f"{twice[0]!r} is there twice; write it once")
        return value

    @model_validator(mode="before")
    @classmethod
    def _no_features(cls, raw: Any) -> Any:
        """Let a model that is never here leave out `features`: what it reads is no matter here."""
        if not isinstance(raw, dict) or not isinstance(raw.get("training"), dict):
            return raw
        given = raw.get("features")
        named = any(given.values()) if isinstance(given, dict) else given is not None
        if named or raw["training"].get("estimator") != "margins_only":
            return raw
        return raw | {"features": NoFeatures()}

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        rolls_back = self.approval.rollback == "human"
        if (self.approval.asks or rolls_back) and not self.owner.approvers:
            only = "" if self.approval.asks else ", or set approval.rollback: automatic"
            raise ValueError(
                "owner.approvers is empty, so nobody could ever approve; name at least one user"
                + only
            )
        if self.approval.asks and all(self.approval.proposer in u for u in self.owner.users):
            raise ValueError(
                f"approval.proposer {self.approval.proposer!r} is the only one of owner.approvers "
                "and cannot approve what they propose; name another approver"
            )
        if self.label.column in self.features.columns:
            raise ValueError(
                f"label.column {self.label.column!r} must not be a feature; "
                "take it out of `features`"
            )
        self.gates.fit(len(self.label.classes))
        if self.source.margin is not None and len(self.label.classes) > 2:
            raise ValueError("source.margin is for models with two classes; leave it out")
        self._training_fits()
        if self.scoring is not None:
            self._scores_fit(self.scoring)
        if self.review is not None:
            self._review_fits(self.review)
        costly = self.slo is not None and self.slo.metric == "cost"
        if costly and (self.gates.costs is None or len(self.label.classes) > 2):
            raise ValueError(
                "slo.metric: cost needs `gates.costs` of a model with two classes; name another "
                "metric, such as error_rate"
            )
        return self

    def _training_fits(self) -> None:
        estimator, dag = self.training.estimator, self.training.dag
        if dag is not None and estimator not in ELSEWHERE:
            raise ValueError(
                f"training.dag is for a model that its owner trains; leave it out, or write "
                f"training.estimator: {' or '.join(ELSEWHERE)}"
            )
        if dag is not None and dag.partition(".")[2] == self.model:
            raise ValueError(f"training.dag {dag} is a DAG of this model; name the one that trains")
        if not self.margins_only:
            return
        if len(self.label.classes) > 2:
            raise ValueError(
                "training.estimator: margins_only is for models with two classes; with more, hand "
                "in the pipeline (external)"
            )
        for name in ("margin", "version_column"):
            if getattr(self.source, name) is None:
                what = "the margin" if name == "margin" else "which version gave it"
                raise ValueError(
                    f"training.estimator: margins_only has nothing else than what production logs; "
                    f"name in source.{name} the column that says {what}"
                )
        if self.scoring is not None or self.shadow.windows:
            which = "scoring" if self.scoring is not None else "shadow.windows"
            raise ValueError(
                f"{which} needs the model here, which training.estimator: margins_only has not; "
                "leave it out: production scores, and says in source.version_column who did"
            )
        if self.review is not None and self.review.prefer == "conflicting":
            raise ValueError(
                "review.prefer: conflicting needs contributions of features, which "
                "training.estimator: margins_only has not; write uncertain or random"
            )

    def _scores_fit(self, scoring: Scoring) -> None:
        if "landing" in scoring.on and self.source.asset is None:
            raise ValueError(
                "scoring.on has `landing` and source.asset is left out; name the asset there"
            )
        canary = scoring.canary
        if canary is not None and self.source.version_column is None:
            raise ValueError(
                "scoring.canary has two versions score a window, and source.version_column is left "
                "out, so nobody would know which; name a column there, such as model_version"
            )
        if canary is not None and canary.windows < self.latch.open.breaches:
            raise ValueError(
                f"scoring.canary.windows {canary.windows} is less than latch.open.breaches "
                f"{self.latch.open.breaches}, so that a canary could not be found worse before its "
                f"share grows; write {self.latch.open.breaches} or more"
            )
        names = [*{self.source.time, self.source.key}, *self.score_columns]
        names += WINDOW_COLUMNS if scoring.kind == "table" else ()
        if twice := [name for name, count in Counter(names).items() if count > 1]:
            raise ValueError(
                f"the scores would have two columns {twice[0]!r}; name source.margin or "
                "source.version_column otherwise, or the source's column"
            )
        for name in self.joined_scores:
            if name in (*self.features.columns, self.label.column, self.source.weight):
                raise ValueError(
                    f"column {name!r} is what `scoring` writes, and has another use in the spec; "
                    "name source.margin or source.version_column otherwise"
                )

    def _review_fits(self, review: Review) -> None:
        if (review.prefer == "slices") != (review.over is not None):
            raise ValueError(
                "review.over names the column of `review.prefer: slices`; give both or none"
            )
        named = [*review.columns, *([review.over] if review.over else [])]
        if unknown := [name for name in named if name not in self.columns]:
            raise ValueError(
                f"review names column {unknown[0]!r}, which the spec names nowhere else; there "
                f"are: {', '.join(self.columns)}"
            )

    @property
    def margins_only(self) -> bool:
        """Return whether the model is never here: production logs its margins."""
        return self.training.estimator == "margins_only"

    @property
    def score_columns(self) -> tuple[str, str, str, str]:
        """Return the columns that `scoring` writes beside time and key.

        They are margin, probability, decision and version, in this order.
        """
        source = self.source
        margin, version = source.margin or "margin", source.version_column or "model_version"
        return margin, "probability", "decision", version

    @property
    def joined_scores(self) -> tuple[str, ...]:
        """Return the columns of the source that are read from what `scoring` wrote."""
        if self.scoring is None:
            return ()
        return tuple(n for n in (self.source.margin, self.source.version_column) if n)

    @property
    def unscored(self) -> ModelSpec:
        """Return the spec of the rows before they are scored: on those a model is trained."""
        if self.scoring is None:
            return self
        source = self.source.model_copy(update={"margin": None, "version_column": None})
        return self.model_copy(update={"source": source, "scoring": None})

    @property
    def digest(self) -> str:
        """Return 12 hex digits over the canonical form; equal for equal meaning, not layout.

        They stay the same in a release that adds options; see `form`.
        """
        canonical = json.dumps(form.canonical(self), sort_keys=True)
        return hashlib.sha256(canonical.encode()).hexdigest()[:12]

    @property
    def columns(self) -> tuple[str, ...]:
        """Return every column of a window's rows, each once; the label may be joined to them."""
        return tuple(dict.fromkeys([*self.needed_columns, *self.gates.slices.columns]))

    @property
    def needed_columns(self) -> tuple[str, ...]:
        """Return the columns without which a window is not measured."""
        wanted = (self.source.time, self.source.key, *self.features.columns, self.label.column)
        source = self.source
        logged = [n for n in (source.margin, source.weight, source.version_column) if n]
        extra = [name for e in self.expectations for name in e.columns]
        return tuple(dict.fromkeys([*wanted, *logged, *extra]))
