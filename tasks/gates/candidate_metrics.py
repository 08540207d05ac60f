"""The figures that a candidate was accepted with: what the ledger and people keep of it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tasks.classifier.refit import Refit
from tasks.classifier.spans import Learning


@dataclass(frozen=True, kw_only=True)
class CandidateMetrics:
    """Figures of a candidate, and of the champion on the same rows.

    `candidate` and `champion` are what `losses.rates` returns, `champion` None at the bootstrap;
    `capped` counts judged rows with a feature beyond its cap; `calibration` is what
    `calibration_fit.calibration_parameters` returns. `hinge_gap`, `support_vectors` and
    `fitted_rows` are of the fit, and a recalibration's those of its champion; of what was fit
    elsewhere they are None, 0 and 0. `refit` is None
    where nothing is refit; `learning` where nothing was fit, or nobody said from which rows;
    `model_file` is the digest of the registered file. `logged_as` is what production calls a
    version that is never here, None of any other.
    """

    judged_rows: int
    capped: Mapping[str, int]
    candidate: Mapping[str, float]
    champion: Mapping[str, float] | None
    calibration: Mapping[str, Any]
    hinge_gap: float | None
    support_vectors: int
    fitted_rows: int
    refit: Refit | None = None
    warnings: tuple[str, ...] = ()
    learning: Learning | None = None
    model_file: str | None = None
    logged_as: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return them as the ledger keeps them."""
        fit, learning = self.refit, self.learning
        kept = {
            "judged_rows": self.judged_rows,
            "capped": dict(self.capped),
            "candidate": dict(self.candidate),
            "champion": None if self.champion is None else dict(self.champion),
            "calibration": dict(self.calibration),
            "hinge_gap": self.hinge_gap,
            "support_vectors": self.support_vectors,
            "fitted_rows": self.fitted_rows,
            "refit": None if fit is None else fit.to_json(),
            "warnings": list(self.warnings),
        }
        if learning is None:  # nothing was fit, so nothing could be refit
            del kept["refit"]
        else:
            kept["span"] = learning.to_json()
        if self.model_file is not None:
            kept["model_file"] = self.model_file
        if self.logged_as is not None:
            kept["logged_as"] = self.logged_as
        return kept

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> CandidateMetrics:
        """Return what `to_json` gave, also of the releases that kept less."""
        fit, learning = kept.get("refit"), kept.get("span")
        return cls(
            judged_rows=kept["judged_rows"],
            capped=kept.get("capped", {}),
            candidate=kept["candidate"],
            champion=kept["champion"],
            calibration=kept["calibration"],
            hinge_gap=kept["hinge_gap"],
            support_vectors=kept["support_vectors"],
            fitted_rows=kept["fitted_rows"],
            refit=None if fit is None else Refit.from_json(fit),
            warnings=tuple(kept.get("warnings", ())),
            learning=Learning.from_json(learning) if learning else None,
            model_file=kept.get("model_file"),
            logged_as=kept.get("logged_as"),
        )
