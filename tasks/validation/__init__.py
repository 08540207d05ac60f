"""Which rows are fit to be measured, and what becomes of the others."""
