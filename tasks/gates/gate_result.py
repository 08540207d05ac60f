"""What a gate says of a candidate, and how a gate that cannot be computed says so. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import KW_ONLY, asdict, dataclass, fields
from typing import Any, Literal

import numpy as np

from tasks.gates.losses import NotComputable
from tasks.spec.gate_options import BY_CLASS, Gate

GateVerdict = Literal["passed", "failed", "not_judged"]
NO_CHAMPION = "no champion yet to compare with"


@dataclass(frozen=True)
class GateResult:
    """One check of a candidate: its verdict, its figures, and why in one line.

    `low` and `high` bound candidate - champion; a figure is None where there is none. `slice`
    names the rows where it is not all judged ones, `rows` counts them.
    """

    name: str
    verdict: GateVerdict
    reason: str
    _: KW_ONLY
    candidate: float | None = None
    champion: float | None = None
    low: float | None = None
    high: float | None = None
    slice: str | None = None
    rows: int | None = None

    @property
    def passed(self) -> bool:
        """Return whether it stands in nobody's way: what was not judged does not."""
        return self.verdict != "failed"

    @property
    def title(self) -> str:
        """Return its name as people read it."""
        words = self.name.replace("_", " ")
        return words if self.slice is None else f"{words}, {self.slice}"

    @property
    def of_subgroup(self) -> bool:
        """Return whether it is about some of the rows, and no gate that counts class by class."""
        return self.slice is not None and self.name not in BY_CLASS

    def to_json(self) -> dict[str, Any]:
        """Return the result as it is kept and shown."""
        return {**asdict(self), "passed": self.passed}

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> GateResult:
        """Return the result that `to_json` gave."""
        return cls(**{f.name: kept[f.name] for f in fields(cls)})


def passed(results: Sequence[GateResult]) -> bool:
    """Return whether every gate passed; without any gate nothing passes."""
    return bool(results) and all(r.passed for r in results)


def verdict(ok: bool) -> GateVerdict:
    return "passed" if ok else "failed"


def guarded(name: str, compute: Callable[[], Iterable[GateResult]]) -> list[GateResult]:
    """Return the computed results, or one failed gate of that name if they cannot be computed."""
    try:
        results = list(compute())
    except NotComputable as error:
        return [GateResult(name, "failed", f"cannot be computed: {error}")]
    except Exception as error:  # whatever goes wrong, the candidate has not shown that it is good
        why = f"cannot be computed: {type(error).__name__}: {error}"
        return [GateResult(name, "failed", why)]
    return [_finite(result) for result in results]


def _finite(result: GateResult) -> GateResult:
    figures = {n: getattr(result, n) for n in ("candidate", "champion", "low", "high")}
    wrong = [n for n, value in figures.items() if value is not None and not np.isfinite(value)]
    if not wrong:
        return result
    why = f"cannot be computed: {', '.join(wrong)} is no finite number"
    kept = {n: None if n in wrong else value for n, value in figures.items()}
    return GateResult(result.name, "failed", why, slice=result.slice, rows=result.rows, **kept)


def bounded_gate(name: str, value: float, gate: Gate, champion: float | None = None) -> GateResult:
    """Return whether a figure stays within an absolute bound.

    The bound is the owner's word, so it holds where the champion is beyond it too; that is said.
    """

    def within(figure: float) -> bool:
        if gate.at_least is not None:
            return figure >= gate.at_least
        assert gate.at_most is not None
        return figure <= gate.at_most

    ok = within(value)
    reason = f"at most {gate.at_most:g}" if gate.at_least is None else f"at least {gate.at_least:g}"
    if not ok:
        reason += f", and it is {value:.3g}"
        if champion is not None and not within(champion):
            reason += f"; the champion's {champion:.3g} is beyond it too"
        reason += f"; change gates.{name} if the bound no longer fits"
    return GateResult(name, verdict(ok), reason, candidate=value, champion=champion)
