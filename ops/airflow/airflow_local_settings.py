"""Pays once for what each task would pay again: in whatever forks the processes that run tasks.

That is the scheduler with LocalExecutor, and the worker with CeleryExecutor.
"""

import os
import sys

_LOCAL = os.environ.get("AIRFLOW__CORE__EXECUTOR") == "LocalExecutor"

if sys.argv[1:3] == ["celery", "worker"] or (_LOCAL and sys.argv[1:2] == ["scheduler"]):
    from ops import preloaded

    preloaded.load()
    preloaded.warm()
