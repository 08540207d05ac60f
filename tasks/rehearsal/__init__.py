"""Made incidents, played over a model's own history by the functions that the DAGs call."""
