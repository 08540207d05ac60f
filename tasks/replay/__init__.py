"""A policy played over history by the functions that the DAGs call."""
