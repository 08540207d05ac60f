"""Everything that the DAGs do, as plain Python. Nothing here imports Airflow or a DAG."""

__version__ = "0.1.0"
