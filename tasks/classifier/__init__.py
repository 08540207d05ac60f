"""The margin classifier: encoded, fit, calibrated, scored, and kept as a file."""
