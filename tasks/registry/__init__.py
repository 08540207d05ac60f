"""MLflow: the runs that steps hand over in, and the registered models with their lineage."""
