"""Everything that the DAGs do, as plain Python. Nothing here imports Airflow or a DAG."""

__version__ = "0.2.0"  # the one place: pyproject.toml, --version, lineage and pages read it
