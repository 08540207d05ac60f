"""What a life left behind, compared with one that nothing disturbed."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from ops.faults import containers
from ops.faults.team import Team

_WRITTEN = {
    "worker": ("var/lib/gatelatch/scratch", "var/lib/gatelatch/store"),
    "mlflow": ("var/lib/gatelatch/mlflow/tmp", "var/lib/gatelatch/mlflow/artifacts"),
    "api-server": ("tmp",),
}


def differences(team: Team, models: list[str]) -> dict[str, str]:
    """Return of each model what is elsewhere than with the first one; all of them if none is."""
    told = team.says("worker-1", "python", "-m", "ops.faults.inside", "seen", *models)
    seen: dict[str, dict[str, Any]] = json.loads(told.splitlines()[-1])
    (team.home / "seen.json").write_text(json.dumps(seen, indent=1))
    whole = seen[models[0]]
    if whole["fault"]:
        raise RuntimeError(f"the undisturbed life itself: {whole['fault']}")
    found = {}
    for model in models[1:]:
        parts = whole.keys() | seen[model].keys()
        other = sorted(p for p in parts if whole.get(p) != seen[model].get(p))
        if other:
            parts_of = (f"{p}: {_short(whole, p)} → {_short(seen[model], p)}" for p in other)
            found[model] = ", ".join(parts_of)
    return found


def _short(of: dict[str, Any], part: str) -> str:
    one = of.get(part)
    return f"{len(one)} rows" if isinstance(one, list) else str(one)


def leftovers(home: Path) -> list[str]:
    """Return what is half-written or temporary where nobody works any more.

    Seen through the processes of its services, because their disks are not ours.
    """
    found = set()
    for service, folders in _WRITTEN.items():
        for name in containers.names(home / "run", service):
            for program in containers.programs(home / "run", name):
                root = Path(f"/proc/{program.pid}/root")
                with suppress(OSError):  # it has ended meanwhile
                    found |= {
                        f"{service}:/{path.relative_to(root)}"
                        for folder in folders
                        for path in (root / folder).rglob("*")
                        if path.suffix == ".partial" or path.name.startswith("gatelatch-")
                    }
    return sorted(found)
