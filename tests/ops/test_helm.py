"""The values for the official Airflow chart give each pod what compose gives its service.

No cluster and no chart is needed: the files are read. `make helm` renders them with a chart.
"""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.support.compose import ROOT, SERVICES
from tests.support.helm import (
    CELERY,
    DEPLOYMENT,
    FOLDER,
    KUBERNETES,
    METRICS,
    OVERLAY,
    PARTS,
    POD,
    SECRETS,
    SERVICE,
    disks,
    environment,
    environment_of_metrics,
    files_of_metrics,
    folder,
    parts,
)

# The database is elsewhere, and libpq reads these itself.
ADDED = {"PGHOST", "PGSSLMODE"}
# The chart gives it from `executor`.
OF_THE_CHART = {"AIRFLOW__CORE__EXECUTOR"}
# Whose value is the reader's to write: an address that is another one here.
ADDRESSES = {
    "AIRFLOW__API__BASE_URL",
    "GATELATCH_MLFLOW_UI",
    "GATELATCH_STORE",
    "MLFLOW_TRACKING_URI",
}
# Who a process is for the store: here a pod's own identity says so, or what the reader adds.
OF_THE_STORE = {"AWS_SHARED_CREDENTIALS_FILE", "GATELATCH_STORE_PROFILE"}
KEYS_OF_THE_STORE = {"store_writer", "store_reader"}
# The queue's, and those that sign: a pod for one task has neither.
OF_THE_QUEUE = re.compile(r"AIRFLOW__CELERY|AIRFLOW__SCHEDULER__.*QUEUED")
SIGNING = {"AIRFLOW__API__SECRET_KEY_CMD", "AIRFLOW__API_AUTH__JWT_SECRET_CMD"}


def translated(value: str) -> str:
    """Return a setting of compose as it must be here: folders and hosts have other names."""
    for there, here in (
        ("/run/secrets/", SECRETS),
        ("@postgres/", "@$(PGHOST)/"),
        ("@redis:", "@gatelatch-redis:"),
        ("//api-server:", "//gatelatch-api-server:"),
    ):
        value = value.replace(there, here)
    return value


def compose(service: str) -> dict[str, str]:
    """Return what a service of compose has, in the words of here."""
    given = SERVICES[service]["environment"]
    left_out = OF_THE_CHART | OF_THE_STORE
    return {key: translated(str(v)) for key, v in given.items() if key not in left_out}


def ours(service: str) -> dict[str, str]:
    if service == "metrics":
        given = environment_of_metrics()
    else:
        given = {k: v for part in PARTS[service] for k, v in environment(CELERY, part).items()}
    return {key: value.replace("$$", "$") for key, value in given.items() if key not in ADDED}


# --- what each is given


@pytest.mark.parametrize("service", [*PARTS, "metrics"])
def test_each_pod_has_the_environment_that_compose_gives_its_service_and_no_other(
    service: str,
) -> None:
    here, there = ours(service), compose(service)
    assert set(here) == set(there)
    assert {k: v for k, v in here.items() if k not in ADDRESSES} == {
        k: v for k, v in there.items() if k not in ADDRESSES
    }


@pytest.mark.parametrize("service", [*PARTS, "metrics"])
def test_each_pod_sees_the_secrets_that_compose_gives_its_service_and_no_other(
    service: str,
) -> None:
    if service == "metrics":
        seen = files_of_metrics()[SECRETS.rstrip("/")]
    else:
        seen = set().union(*(folder(part, "secrets") for part in PARTS[service]))
    assert seen == set(SERVICES[service]["secrets"]) - KEYS_OF_THE_STORE


@pytest.mark.parametrize("service", [*PARTS, "metrics"])
def test_each_pod_has_the_limits_and_replicas_of_its_service(service: str) -> None:
    deploy = SERVICES[service]["deploy"]
    limits = {
        "cpu": deploy["resources"]["limits"]["cpus"],
        "memory": deploy["resources"]["limits"]["memory"].replace("g", "Gi"),
    }
    given = METRICS["containers"] if service == "metrics" else PARTS[service]
    for part in given:
        assert part["resources"]["limits"] == limits
    replicas = DEPLOYMENT["spec"]["replicas"] if service == "metrics" else None
    assert (replicas or given[0].get("replicas", 1)) == int(deploy.get("replicas", 1))


def test_the_jobs_do_what_init_does_but_move_keys_which_are_a_secret_here() -> None:
    lines = translated(SERVICES["init"]["command"][-1]).splitlines()
    (migrate, create) = PARTS["init"]
    did = (migrate["args"][-1] + create["args"][-1]).replace("$$", "$").splitlines()
    assert did == [line for line in lines if not line.startswith("cp ")]


# --- the image, and how it runs


def test_every_pod_runs_our_image_and_the_queue_that_of_compose() -> None:
    name = f"{CELERY['defaultAirflowRepository']}:{CELERY['defaultAirflowTag']}"
    assert name.rsplit("/", 1)[1].split(":")[0] == SERVICES["worker"]["image"]
    assert re.search(r":[\w.]+@sha256:[0-9a-f]{64}$", name)
    assert METRICS["containers"][0]["image"] == name
    redis = CELERY["images"]["redis"]
    assert f"{redis['repository']}:{redis['tag']}" == SERVICES["redis"]["image"]
    assert "images" not in OVERLAY
    assert f"apache-airflow=={CELERY['airflowVersion']}" in (ROOT / "requirements.txt").read_text()


def test_every_container_is_nobody_who_may_do_anything_and_writes_only_where_it_is_told() -> None:
    (metrics,) = METRICS["containers"]
    pods = [CELERY["securityContexts"]["pod"], CELERY["redis"]["securityContexts"]["pod"]]
    for pod in [*pods, METRICS["securityContext"]]:
        assert pod["runAsNonRoot"]
        assert pod["runAsUser"] > 0
    redis = CELERY["redis"]["securityContexts"]["container"]
    for one in [CELERY["securityContexts"]["containers"], redis, metrics["securityContext"]]:
        assert one["readOnlyRootFilesystem"]
        assert not one["allowPrivilegeEscalation"]
        assert one["capabilities"] == {"drop": ["ALL"]}


def test_every_folder_that_compose_makes_writable_is_writable_here() -> None:
    for service in PARTS:
        written = {
            mount["mountPath"] for mount in CELERY["volumeMounts"] if not mount.get("readOnly")
        }
        assert set(SERVICES[service]["tmpfs"]) == written


@pytest.mark.parametrize(("values", "part"), [(CELERY, PARTS["worker"][0]), (KUBERNETES, POD)])
def test_what_tasks_spill_goes_to_the_disk_of_the_node(
    values: dict[str, Any], part: dict[str, Any]
) -> None:
    assert environment(values, part)["TMPDIR"] in disks(part)


def test_no_probe_and_no_sidecar_needs_a_file_of_the_image_of_airflow() -> None:
    long_running = {name: both[0] for name, both in PARTS.items() if name != "init"}
    for name, part in long_running.items():
        if name == "api-server":  # its probes are requests
            continue
        assert part["livenessProbe"]["command"][0] in ("airflow", "python")
        assert part["logGroomerSidecar"] == {"enabled": False}
    assert CELERY["scheduler"]["startupProbe"]["command"][0] == "python"
    assert "/entrypoint" not in (FOLDER / "values.yaml").read_text()


def test_a_pod_has_a_token_of_the_cluster_only_where_it_asks_the_cluster() -> None:
    def tokens(values: dict[str, Any]) -> set[str]:
        every = {**parts(values), "redis": [values["redis"]]}
        if pod := values["workers"].get("kubernetes"):
            every["pod"] = [pod]
        return {
            name
            for name, both in every.items()
            if any(part["serviceAccount"]["automountServiceAccountToken"] for part in both)
        }

    assert tokens(CELERY) == set()
    assert tokens(KUBERNETES) == {"scheduler", "api-server"}
    assert METRICS["automountServiceAccountToken"] is False
    for values, asks in ((CELERY, False), (KUBERNETES, True)):  # the right, beside the token
        assert values["allowPodLaunching"] is asks
        assert values["apiServer"]["allowPodLogReading"] is asks


def test_no_login_is_counted_under_an_address_that_its_sender_chose() -> None:
    """Compose leaves it at Airflow's default, which is off; the chart's is on."""
    assert CELERY["config"] == {"fab": {"enable_proxy_fix": "False"}}
    assert not [name for name in compose("api-server") if "PROXY_FIX" in name]


# --- the other executor


def test_a_pod_of_the_kubernetes_executor_is_a_worker_without_the_queue_and_what_signs() -> None:
    (worker,) = PARTS["worker"]
    there = environment(CELERY, worker)
    left = {k: v for k, v in there.items() if not OF_THE_QUEUE.match(k) and k not in SIGNING}
    assert environment(KUBERNETES, POD) == left
    assert folder(worker, "secrets") - folder(POD, "secrets") == {
        "jwt_secret",
        "secret_key",
        "redis_password",
    }
    for name in ("keys", "trusted"):
        assert folder(POD, name) == folder(worker, name)
    assert POD["resources"]["limits"] == worker["resources"]["limits"]
    assert POD["terminationGracePeriodSeconds"] == worker["terminationGracePeriodSeconds"]


def test_the_scheduler_of_the_kubernetes_executor_lacks_the_queue_and_nothing_else() -> None:
    celery, other = CELERY["scheduler"], KUBERNETES["scheduler"]
    left = [one for one in celery["env"] if not OF_THE_QUEUE.match(one["name"])]
    assert other["env"] == left
    assert folder(celery, "secrets") - folder(other, "secrets") == {"redis_password"}


def test_the_executors_differ_only_in_what_they_must() -> None:
    def changed(node: Any, path: str = "") -> set[str]:
        if isinstance(node, dict) and node:
            return set().union(*(changed(value, f"{path}.{key}") for key, value in node.items()))
        return {path.removeprefix(".")}

    assert {path for path in changed(OVERLAY) if not path.startswith("workers.kubernetes.")} == {
        "executor",
        "allowPodLaunching",
        "apiServer.allowPodLogReading",
        "redis.enabled",
        "apiServer.serviceAccount.automountServiceAccountToken",
        "scheduler.env",
        "scheduler.extraVolumes",
        "scheduler.serviceAccount.automountServiceAccountToken",
        "logs.persistence.enabled",
        "logs.persistence.size",
        "logs.persistence.storageClassName",
    }


def test_the_service_of_metrics_leads_to_its_pod() -> None:
    labels = DEPLOYMENT["spec"]["template"]["metadata"]["labels"]
    assert SERVICE["spec"]["selector"].items() <= labels.items()
    (port,) = SERVICE["spec"]["ports"]
    assert {"name": port["targetPort"], "containerPort": port["port"]} in METRICS["containers"][0][
        "ports"
    ]
    site = ("PGHOST", "PGSSLMODE", "GATELATCH_STORE")
    there = environment(CELERY, {})
    assert {key: environment_of_metrics()[key] for key in site} == {key: there[key] for key in site}
