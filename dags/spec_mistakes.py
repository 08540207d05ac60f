"""Shows model specs with mistakes as an import error of Airflow; the other models' DAGs run on.

A file of its own, because Airflow takes down every DAG of a file that has an import error.
"""

from tasks.spec import SpecError
from tasks.spec_file import load_all

_, mistakes = load_all()
if mistakes:
    raise SpecError("\n".join(mistakes))
