"""frouros: a two-sample test on the margins, and DDM on the errors."""

from frouros.detectors.concept_drift import DDM
from frouros.detectors.data_drift import KSTest


class Ks:
    # frouros sets no level: the one of the KSTest example in its README. The value: the distance.
    alpha = 0.001

    def __init__(self, reference):
        self.detector = KSTest()
        self.detector.fit(X=reference.margins)

    def window(self, rows):
        result, _ = self.detector.compare(X=rows.margins)
        return result.p_value <= self.alpha, result.statistic, False


class Ddm:
    # Defaults: drift at the lowest error rate + 3 standard deviations, 30 rows at least. The
    # reference's rows come first. The value: the error rate since the last signal.
    def __init__(self, reference):
        self.detector = DDM()
        self.feed(reference.error)

    def window(self, rows):
        return self.feed(rows.error), self.detector.error_rate.mean, len(rows.error) > 0

    def feed(self, errors):
        alarm = False
        for error in errors.tolist():
            if self.detector.drift:
                self.detector.reset()  # by hand: frouros goes on signalling otherwise
            self.detector.update(value=error)
            alarm = alarm or self.detector.drift
        return alarm


DETECTORS = {"ks": Ks, "ddm": Ddm}
