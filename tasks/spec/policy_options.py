"""What the model spec says of a breach, of the latch, and of a candidate in shadow.

Light, as the rest of the spec is.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from tasks.spec.part import Positive, Rest, SpecPart, Windows, format_duration


class Effect(SpecPart):
    effect: Positive = Field(description="the least change that matters")


class CalibrationDrift(SpecPart):
    effect: Positive = Field(
        default=0.05,
        description="change of the mean gap between probability and frequency that matters "
        "(labelled)",
    )
    false_alarms_per_year: Positive = Field(
        default=0.5,
        description="openings of the latch of probabilities in a year, on a healthy "
        "model; those of the drift come on top",
    )
    propose: bool = Field(
        default=True,
        description="whether the monitor proposes to recalibrate; if not, it only "
        "records the finding",
    )


class Drift(SpecPart):
    false_alarms_per_year: Positive = Field(
        default=1.0,
        description="openings of the latch in a year, on a healthy model, by all statistics "
        "together",
    )
    ks: Effect = Field(
        default=Effect(effect=0.10), description="Kolmogorov-Smirnov distance of the scores"
    )
    wasserstein: Effect = Field(
        default=Effect(effect=0.25),
        description="distance that the scores moved on average, in "
        "standard deviations of the reference",
    )
    margin_density: Effect = Field(
        default=Effect(effect=0.10),
        description="change of the share of rows with a margin in -1 … 1",
    )
    energy: Effect | None = Field(
        default=None,
        description="energy distance of the scores, in roots of standard deviations of the "
        "reference; left out: not measured, and takes no share of the false alarms",
    )
    hinge_loss: Effect = Field(
        default=Effect(effect=0.10), description="rise of the mean hinge loss (labelled)"
    )
    violation_rate: Effect = Field(
        default=Effect(effect=0.10),
        description="change of the share with y·f < 1 (labelled)",
    )
    class_loss: Effect = Field(
        default=Effect(effect=0.20), description="rise of a class's mean hinge loss (labelled)"
    )
    class_recall: Effect = Field(
        default=Effect(effect=0.10),
        description="fall of the share of a class's rows that are decided rightly (labelled)",
    )
    class_margin: Effect = Field(
        default=Effect(effect=0.50),
        description="fall of a class's mean margin y·f, in standard deviations of the class's "
        "margins in the reference (labelled)",
    )
    blind_at: Annotated[float, Field(gt=1, le=1e12)] = Field(
        default=5.0,
        description="a statistic is blind if chance alone shows this many times its effect; if "
        "all are blind, the window is `insufficient`",
    )
    calibration: CalibrationDrift = CalibrationDrift()
    confirm: Literal["never", "if_labelled", "required"] = Field(
        default="if_labelled",
        description="whether a breach needs a risen loss: `never`; `if_labelled`, only if there "
        "are labels; `required`, always (a breach without labels is then `insufficient`)",
    )


class Opening(SpecPart):
    breaches: Windows = Field(default=2, description="breaching windows that open the latch …")
    of: Windows = Field(default=3, description="… among this many newest windows with a verdict")

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        if self.breaches > self.of:
            raise ValueError(
                f"`breaches` {self.breaches} exceeds `of` {self.of}, so it never opens; raise `of`"
            )
        return self


class Closing(SpecPart):
    steady: Windows = Field(default=3, description="steady windows in a row that close it …")
    at: Annotated[float, Field(gt=0, le=1)] = Field(
        default=0.7,
        description="… with the change that counts below this share of its limit",
    )


class LatchPolicy(SpecPart):
    open: Opening = Opening()
    close: Closing = Closing()
    wait: Windows = Field(
        default=3,
        description="windows from an episode's first breach on, before a retrain is proposed: "
        "some changes pass by then, and a lasting one gives rows to learn from",
    )
    rest: Rest = Field(
        default=2,
        description="windows, or event time such as `14d`, without a new proposal after a "
        "promotion or a refusal",
    )

    @property
    def rest_told(self) -> str:
        """Return how long it rests, in words."""
        if not isinstance(self.rest, int):
            return f"{format_duration(self.rest)} of event time"
        return "1 window" if self.rest == 1 else f"{self.rest} windows"


class Slo(SpecPart):
    metric: Literal["hinge_loss", "violation_rate", "error_rate", "cost"] = Field(
        default="hinge_loss",
        description="metric of the error budget (labelled), if there is `slo`: `hinge_loss`, "
        "`violation_rate`, `error_rate`, or `cost`, the mean of `gates.costs`, for two classes",
    )
    budget: Positive = Field(
        default=0.1,
        description="how far the metric may lie above the champion's reference, as a mean over "
        "`slo.window`",
    )
    window: Rest = Field(
        default=12,
        description="windows, or event time such as `12w`, over which the budget is spent",
    )

    def windows(self, every: timedelta) -> int:
        """Return how many windows of a length the SLO window has, at least one."""
        if isinstance(self.window, int):
            return self.window
        return max(round(self.window / every), 1)


class Shadow(SpecPart):
    windows: Annotated[int, Field(ge=0, le=10_000)] = Field(
        default=0,
        description="number of windows on which a candidate is scored beside the champion before "
        "anybody is asked to promote it; 0: none",
    )
