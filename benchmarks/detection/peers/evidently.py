"""evidently: the verdict of DataDriftPreset on features and margin, and drift of the margin alone.

Its default test of a numeric column: Wasserstein distance in the reference's standard deviations,
drift from 0.1 on; of a reference of at most 1000 rows a Kolmogorov-Smirnov test at 0.05.
"""
# ruff: noqa: TID253 -- a process of its own, no DAG file

import pandas as pd
from evidently import DataDefinition, Dataset, Report
from evidently.metrics import DriftedColumnsCount, ValueDrift


class Preset:
    # The preset is this metric, same defaults, and a chart per column that takes 10 times as long.
    # Default: the data drifted when at least half of the columns did. The value: their share.
    metric = DriftedColumnsCount()

    def __init__(self, reference):
        self.report = Report([self.metric], include_tests=True)
        self.reference = self.dataset(reference)

    def window(self, rows):
        result = self.report.run(self.dataset(rows), self.reference).dict()
        value = result["metrics"][0]["value"]
        return result["tests"][0]["status"] == "FAIL", self.number(value), False

    def number(self, value):
        return value["share"]

    def dataset(self, rows):
        columns = {f"x{i}": column for i, column in enumerate(rows.features.T)}
        frame = pd.DataFrame(columns | {"prediction": rows.margins})
        return Dataset.from_pandas(frame, DataDefinition(numerical_columns=list(frame)))


class Prediction(Preset):
    # The value: the distance, or the p-value of a small reference.
    metric = ValueDrift(column="prediction")

    def number(self, value):
        return value


DETECTORS = {"preset": Preset, "prediction": Prediction}
