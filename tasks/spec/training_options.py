"""How a candidate is trained and calibrated."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tasks.spec.part import Count, DagId, Length, Positive, Seed, Share, SpecPart

CalibrationMethod = Literal["sigmoid", "temperature", "isotonic", "beta"]
ELSEWHERE = ("external", "margins_only")  # the owner fits, and Gatelatch never does


class Training(SpecPart):
    estimator: Literal["linear_svc", "sgd_hinge", "external", "margins_only"] = Field(
        default="linear_svc",
        description="`linear_svc`: LinearSVC(loss='hinge'); `sgd_hinge`: "
        "SGDClassifier(loss='hinge'); `external`: the owner trains it elsewhere, and hands it in "
        "with `python -m tasks adopt`; `margins_only`: the owner trains it, and it never comes "
        "here: production logs its margins (two classes)",
    )
    dag: DagId | None = Field(
        default=None,
        description="DAG of the owner that trains, if `estimator` is `external` or `margins_only`: "
        "an approved retrain starts it with the evidence; left out: the owner is only told",
    )
    window: Length = Field(description="event time that the rows of a training span")
    weighting: Literal["balanced", "none"] = Field(
        default="balanced", description="class weights: `balanced`, each class counts alike; `none`"
    )
    regularisation: Positive = Field(
        default=1.0, description="C of LinearSVC; SGD's alpha = 1/(C·n)"
    )
    judge: Share = Field(
        default=0.2, description="share of the rows, the newest ones, kept for the gates"
    )
    cap: Positive | None = Field(
        default=10.0,
        description="a number further than this from the mean of the fit, in standard deviations, "
        "counts as if it lay there; null: no cap",
    )
    rare_below: Count = Field(
        default=5,
        description="a category or word with fewer rows of the fit than this is treated like an "
        "unseen one; so the word of a single customer does not stay in the model's file",
    )
    refit: Literal["never", "accepted"] = Field(
        default="never",
        description="`never`; or `accepted`: a candidate that passed its gates is fit again on all "
        "its rows before it is registered. Better where words or rows are scarce, worse where the "
        "newest rows are an outage. The gates then judged its twin, not the model that decides",
    )
    seed: Seed = Field(default=7, description="seed of the solver")


class Calibration(SpecPart):
    method: CalibrationMethod = Field(
        default="sigmoid",
        description="`sigmoid`: Platt scaling; `temperature`: one temperature; `isotonic`: a step "
        "function (from 1000 rows on); `beta`: beta calibration (its tails may differ)",
    )
    share: Share = Field(
        default=0.15, description="share of the rows before the judged ones, kept for calibration"
    )
