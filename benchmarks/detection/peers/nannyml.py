"""nannyml: drift of the margins' distribution, and estimated performance (CBPE).

Both compare a window with the reference cut into chunks of the window's size, and alert beyond the
chunks' mean ± 3 standard deviations (the default threshold).
"""
# ruff: noqa: TID253 -- a process of its own, no DAG file

import nannyml
import pandas as pd
from scipy.special import expit

nannyml.disable_usage_logging()


class Chunked:
    def __init__(self, reference):
        self.reference = self.frame(reference)
        self.size = None

    def window(self, rows):
        if len(rows.margins) != self.size:  # the limits hold for chunks of one size
            self.size = len(rows.margins)
            # A short last chunk would widen the limits.
            whole = len(self.reference) // self.size * self.size or len(self.reference)
            self.fitted = self.new(self.size).fit(self.reference.iloc[:whole])
        found = self.last(self.frame(rows))
        return found["alert"], found["value"], False


class Univariate(Chunked):
    # Default method for a continuous column: Jensen-Shannon distance, upper threshold alone.
    def frame(self, rows):
        return pd.DataFrame({"margin": rows.margins})

    def new(self, size):
        return nannyml.UnivariateDriftCalculator(column_names=["margin"], chunk_size=size)

    def last(self, frame):
        result = self.fitted.calculate(frame).filter(period="analysis").to_df()
        return result["margin", "jensen_shannon"].iloc[-1]


class Cbpe(Chunked):
    # The metric of nannyml's README. The reference's labels calibrate the probabilities (isotonic,
    # the default, where that helps); a window's labels are not looked at.
    def __init__(self, reference):
        super().__init__(reference)
        self.reference = self.reference[self.reference["label"] >= 0].reset_index(drop=True)

    def frame(self, rows):
        columns = {"probability": expit(rows.margins), "prediction": (rows.margins > 0).astype(int)}
        return pd.DataFrame(columns | {"label": rows.label})

    def new(self, size):
        return nannyml.CBPE(
            problem_type="classification_binary",
            y_pred_proba="probability",
            y_pred="prediction",
            y_true="label",
            metrics=["roc_auc"],
            chunk_size=size,
        )

    def last(self, frame):
        return self.fitted.estimate(frame).filter(period="analysis").to_df()["roc_auc"].iloc[-1]


DETECTORS = {"univariate": Univariate, "cbpe": Cbpe}
