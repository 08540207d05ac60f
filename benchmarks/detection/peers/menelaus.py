"""menelaus: MD3, the density of the margin's rows, as it is.

Its margin is |w·x + intercept / w[1]|, not the decision function: a known error that we leave in.
It needs a linear classifier to clone, so it fits one to the reference's standardised features.
"""
# ruff: noqa: TID253 -- a process of its own, no DAG file

import numpy as np
import pandas as pd
from menelaus.concept_drift import MD3
from sklearn.svm import LinearSVC


class Md3:
    # Defaults: a warning 2 standard deviations (of 10 folds) away from the reference's density;
    # then as many labelled rows as the reference has, and drift if their accuracy is 2 standard
    # deviations below the reference's. The value: the density.
    def __init__(self, states, reference):
        self.states = states
        known = reference.label >= 0
        features = reference.features[known]
        spread = features.std(axis=0)
        self.scale = features.mean(axis=0), np.where(spread > 0, spread, 1)
        frame = self.frame(reference)[known]
        self.columns = list(frame.columns[:-1])
        classifier = LinearSVC(loss="hinge", dual=True, random_state=0, max_iter=10_000)
        classifier.fit(frame[self.columns], frame["label"])
        self.detector = MD3(classifier)
        self.detector.set_reference(frame.reset_index(drop=True), target_name="label")

    def window(self, rows):
        alarm = used_labels = False
        frame = self.frame(rows)
        features = frame[self.columns]
        for i, label in enumerate(rows.label.tolist()):
            if not self.detector.waiting_for_oracle:
                self.detector.update(features.iloc[[i]])
            elif label >= 0:
                self.detector.give_oracle_label(frame.iloc[[i]])
                used_labels = True
            alarm = alarm or self.detector.drift_state in self.states
        return alarm, self.detector.curr_margin_density, used_labels

    def frame(self, rows):
        mean, spread = self.scale
        frame = pd.DataFrame((rows.features - mean) / spread).rename(columns="x{}".format)
        return frame.assign(label=rows.label)


DETECTORS = {
    "md3": lambda reference: Md3({"drift"}, reference),
    "md3_warning": lambda reference: Md3({"warning"}, reference),
}
