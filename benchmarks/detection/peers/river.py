"""river: change detectors on the hinge loss, row by row, the reference's rows first."""

from river import drift


class Stream:
    def __init__(self, detector, reference):
        self.detector = detector
        for loss in reference.loss.tolist():
            detector.update(loss)

    def window(self, rows):
        alarm = False
        for loss in rows.loss.tolist():
            self.detector.update(loss)  # a detector that signalled starts anew by itself
            alarm = alarm or self.detector.drift_detected
        return alarm, getattr(self.detector, "estimation", None), len(rows.loss) > 0


DETECTORS = {
    # Defaults: delta (significance) 0.002, looks every 32 rows. The value: the mean it estimates.
    "adwin": lambda reference: Stream(drift.ADWIN(), reference),
    # Defaults: threshold 50 on the cumulated deviation, delta 0.005, 30 rows at least, both ways.
    "page_hinkley": lambda reference: Stream(drift.PageHinkley(), reference),
}
