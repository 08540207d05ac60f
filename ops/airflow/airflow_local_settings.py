"""Pays the heavy imports once: in the scheduler, before it forks the processes that run tasks.

With another executor than LocalExecutor the tasks run elsewhere, and this is not needed.
"""

import os
import sys

if sys.argv[1:2] == ["scheduler"] and os.environ.get("AIRFLOW__CORE__EXECUTOR") == "LocalExecutor":
    from ops import preloaded

    preloaded.load()
