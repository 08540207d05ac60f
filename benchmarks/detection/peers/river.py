"""river: change detectors on the hinge loss or the errors, row by row, the reference's first."""

from river import drift


class Stream:
    def __init__(self, detector, reference, of="loss"):
        self.detector, self.of = detector, of
        self.window(reference)

    def window(self, rows):
        alarm, values = False, getattr(rows, self.of).tolist()
        for value in values:
            self.detector.update(value)  # a detector that signalled starts anew by itself
            alarm = alarm or self.detector.drift_detected
        return alarm, getattr(self.detector, "estimation", None), len(values) > 0


DETECTORS = {
    # Defaults: delta (significance) 0.002, looks every 32 rows. The value: the mean it estimates.
    "adwin": lambda reference: Stream(drift.ADWIN(), reference),
    # Defaults: threshold 50 on the cumulated deviation, delta 0.005, 30 rows at least, both ways.
    "page_hinkley": lambda reference: Stream(drift.PageHinkley(), reference),
    "adwin_errors": lambda reference: Stream(drift.ADWIN(), reference, "error"),
    # Defaults: 30 rows at least, the error rate's minimum + 3 standard deviations.
    "ddm": lambda reference: Stream(drift.binary.DDM(), reference, "error"),
}
