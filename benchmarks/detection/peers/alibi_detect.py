"""alibi-detect: the Kolmogorov-Smirnov detector on the margins."""

from alibi_detect.cd import KSDrift


class Ks:
    # Default: p_val 0.05. The value: the distance.
    def __init__(self, reference):
        self.detector = KSDrift(reference.margins)

    def window(self, rows):
        found = self.detector.predict(rows.margins)["data"]
        return found["is_drift"], found["distance"][0], False


DETECTORS = {"ks": Ks}
