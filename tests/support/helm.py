"""`ops/helm`, read for the tests about it: what each pod is given, by the name of its service."""

from __future__ import annotations

from typing import Any

import yaml

from tests.support.compose import ROOT

FOLDER = ROOT / "ops" / "helm"
SECRETS = "/var/lib/gatelatch/secrets/"
CELERY: dict[str, Any] = yaml.safe_load((FOLDER / "values.yaml").read_text())
OVERLAY: dict[str, Any] = yaml.safe_load((FOLDER / "values-kubernetes.yaml").read_text())
DEPLOYMENT, SERVICE = yaml.safe_load_all((FOLDER / "metrics.yaml").read_text())
METRICS: dict[str, Any] = DEPLOYMENT["spec"]["template"]["spec"]


def merged(below: Any, above: Any) -> Any:
    """Return values as Helm lays one file on another: maps are merged, all else is replaced."""
    if not (isinstance(below, dict) and isinstance(above, dict)):
        return above
    return {**below, **{key: merged(below.get(key, {}), value) for key, value in above.items()}}


KUBERNETES: dict[str, Any] = merged(CELERY, OVERLAY)


def parts(values: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Return the parts of the values that are what a service of compose is; `init` is two jobs."""
    return {
        "init": [values["migrateDatabaseJob"], values["createUserJob"]],
        "api-server": [values["apiServer"]],
        "scheduler": [values["scheduler"]],
        "dag-processor": [values["dagProcessor"]],
        "triggerer": [values["triggerer"]],
        "worker": [values["workers"]["celery"]],
    }


def _pairs(variables: list[dict[str, str]]) -> dict[str, str]:
    names = [one["name"] for one in variables]
    assert len(set(names)) == len(names)
    return {one["name"]: one["value"] for one in variables}


def environment(values: dict[str, Any], part: dict[str, Any]) -> dict[str, str]:
    """Return the variables of a pod's container, as Kubernetes writes them."""
    return _pairs([*values["env"], *part.get("env", [])])


def environment_of_metrics() -> dict[str, str]:
    return _pairs(METRICS["containers"][0]["env"])


def files(part: dict[str, Any]) -> dict[str, set[str]]:
    """Return the files of each Secret that a pod sees, by the folder that they are in."""
    seen: dict[str, set[str]] = {}
    volumes = [volume for volume in part["extraVolumes"] if "secret" in volume]
    for mount in [*CELERY["volumeMounts"], *part.get("extraVolumeMounts", [])]:
        for volume in volumes:
            if volume["name"] == mount["name"]:
                assert mount["readOnly"]
                seen[mount["mountPath"]] = {item["path"] for item in volume["secret"]["items"]}
    assert len(seen) == len(volumes)  # each is mounted
    return seen


def disks(part: dict[str, Any]) -> set[str]:
    """Return where a pod may write to the disk of its node."""
    mounts = [*CELERY["volumeMounts"], *part.get("extraVolumeMounts", [])]
    given = [*CELERY["volumes"], *part["extraVolumes"]]
    empty = {v["name"] for v in given if v.get("emptyDir") == {}}  # no `medium`: on disk
    return {m["mountPath"] for m in mounts if m["name"] in empty and not m.get("readOnly")}


def folder(part: dict[str, Any], name: str) -> set[str]:
    """Return the files of a Secret that a pod sees in one of our folders."""
    return files(part).get(f"/var/lib/gatelatch/{name}", set())


def files_of_metrics() -> dict[str, set[str]]:
    mounts = METRICS["containers"][0]["volumeMounts"]
    return {
        mount["mountPath"]: {item["path"] for item in volume["secret"]["items"]}
        for mount in mounts
        for volume in METRICS["volumes"]
        if volume["name"] == mount["name"] and "secret" in volume
    }


def items(node: Any) -> set[tuple[str, str]]:
    """Return each Secret and key that a file asks for, anywhere in it."""
    if isinstance(node, list):
        return set().union(*map(items, node))
    if not isinstance(node, dict):
        return set()
    found = set().union(*map(items, node.values())) if node else set()
    if "secretName" in node and "items" in node:
        assert all(item["key"] == item["path"] for item in node["items"])
        found |= {(node["secretName"], item["key"]) for item in node["items"]}
    return found


PARTS = parts(CELERY)
POD = OVERLAY["workers"]["kubernetes"]
