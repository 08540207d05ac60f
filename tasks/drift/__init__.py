"""A window's summary against its reference: statistics, limits, verdict, cause; and the latch."""
