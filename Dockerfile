FROM python:3.11-slim@sha256:9c900dea9e8fb7e16277c179b555cc72d29a352dbc33cff48ad5a0412fd5bfc7

ENV PYTHONUNBUFFERED=1 \
    PYTHONPATH=/opt/gatelatch:/opt/gatelatch/ops/airflow \
    AIRFLOW_HOME=/opt/airflow \
    GIT_PYTHON_REFRESH=quiet

WORKDIR /opt/gatelatch

# Every task process imports afresh: without bytecode that takes three times as long.
COPY requirements.txt .
RUN pip install --no-cache-dir uv==0.13.9 \
    && uv pip install --system --no-cache --require-hashes --compile-bytecode -r requirements.txt \
    && pip uninstall --yes uv

COPY dags/ dags/
COPY plugins/ plugins/
COPY tasks/ tasks/
COPY models/ models/
COPY ops/ ops/

# A new named volume takes the owner of the folder it is mounted on, so the folders exist here.
RUN python -m compileall -q dags plugins tasks ops \
    && useradd --system --uid 1000 --home-dir /opt/airflow gatelatch \
    && mkdir -p /opt/airflow/logs /var/lib/gatelatch/store /var/lib/gatelatch/keys \
        /var/lib/gatelatch/answers /var/lib/gatelatch/trusted /var/lib/gatelatch/mlflow/artifacts \
        /var/lib/gatelatch/mlflow/tmp /var/lib/gatelatch/scratch \
    && chown -R gatelatch:gatelatch /opt/airflow /var/lib/gatelatch

USER gatelatch
