"""Pays the heavy imports once: in the scheduler, before it forks the processes that run tasks.

With another executor than LocalExecutor the tasks run elsewhere, and this is not needed.
"""

import logging
import os
import sys

if sys.argv[1:2] == ["scheduler"] and os.environ.get("AIRFLOW__CORE__EXECUTOR") == "LocalExecutor":
    for name in ("great_expectations._docs_decorators", "great_expectations.expectations.registry"):
        logging.getLogger(name).setLevel(logging.WARNING)
    import duckdb
    import great_expectations
    import matplotlib.figure
    import mlflow.sklearn
    import model_signing.signing
    import pandas
    import pyarrow.dataset
    import sklearn.calibration
    import sklearn.compose
    import sklearn.feature_extraction.text
    import sklearn.svm
    import skops.io
    import sqlalchemy

    import tasks.retrain
    import tasks.validation
