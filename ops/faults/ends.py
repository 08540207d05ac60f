"""What a life left behind, compared with one that nothing disturbed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

from ops.faults import containers
from ops.faults.team import Team


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


def leftovers(home: Path) -> Iterator[str]:
    """Yield what is half-written or temporary where nobody works any more."""
    for path in (home / "run" / "volumes").rglob("*"):
        if path.suffix == ".partial" or path.name.startswith("gatelatch-"):
            yield str(path.relative_to(home))
    for name in containers.names(home / "run", "worker"):
        for program in containers.programs(home / "run", name):
            try:
                for path in Path(f"/proc/{program.pid}/root/tmp").glob("gatelatch-*"):
                    yield f"{name}:/tmp/{path.name}"
            except (psutil.Error, OSError):
                continue
