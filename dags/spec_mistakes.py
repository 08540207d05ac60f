"""Shows model specs with mistakes as an import error of Airflow; the other models' DAGs run on.

A file of its own, because Airflow takes down every DAG of a file that has an import error. It makes
all DAGs too, and keeps none: what a flow's file leaves out, it says.
"""

from dags import monitor, retrain, rollback, score
from dags.each_model import made_of
from tasks.spec.part import SpecError
from tasks.spec.spec_files import load_all

usable, mistakes = load_all()
for flow in (monitor, retrain, rollback):
    mistakes += made_of(flow.make, usable)[1]
mistakes += made_of(score.make, [spec for spec in usable if spec.scoring])[1]
if mistakes:
    raise SpecError("\n".join(dict.fromkeys(mistakes)))
