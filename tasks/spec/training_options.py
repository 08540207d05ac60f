"""How a candidate is trained and calibrated."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tasks.spec.part import Count, Length, Positive, Seed, Share, SpecPart

CalibrationMethod = Literal["sigmoid", "temperature", "isotonic", "beta"]


class Training(SpecPart):
    estimator: Literal["linear_svc", "sgd_hinge"] = Field(
        default="linear_svc", description="LinearSVC(loss='hinge') or SGDClassifier(loss='hinge')"
    )
    window: Length = Field(description="event time of the rows a candidate is trained on")
    weighting: Literal["balanced", "none"] = Field(default="balanced", description="class weights")
    regularisation: Positive = Field(
        default=1.0, description="C of LinearSVC; SGD's alpha = 1/(C·n)"
    )
    judge: Share = Field(default=0.2, description="share of the newest rows, kept for the gates")
    cap: Positive | None = Field(
        default=10.0,
        description="standard deviations of the fit beyond which a number counts as if it lay "
        "there; null: never",
    )
    rare_below: Count = Field(
        default=5,
        description="rows of the fit below which a category or word is pooled with all others that "
        "are unknown; it is then not in the model's file, where a single customer's would stay",
    )
    refit: Literal["never", "accepted"] = Field(
        default="never",
        description="whether what passed its gates is fit again on all its rows before it is "
        "registered: better where words or rows are scarce, worse where the newest rows are an "
        "outage; what was judged is then its twin, and not what decides",
    )
    seed: Seed = Field(default=7, description="seed of the solver")


class Calibration(SpecPart):
    method: CalibrationMethod = Field(
        default="sigmoid",
        description="Platt scaling; one temperature; a step function, from 1000 rows on; or beta "
        "calibration, whose tails may differ",
    )
    share: Share = Field(
        default=0.15, description="share of the rows before the judged ones, kept for calibration"
    )
