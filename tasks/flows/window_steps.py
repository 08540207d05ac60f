"""What the steps of the monitor hand to each other, in JSON: counts and addresses, never a row."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from tasks import formats
from tasks.validation.checked_rows import Checked

STEP_FORMAT = 1  # of both; release 0.1 wrote others, without a number
_AGAIN = "clear the run from its first task on"
_Step = TypeVar("_Step")


@dataclass(frozen=True, kw_only=True)
class Validated:
    """A window's rows, checked for one version; `beside`: the same for each one beside it.

    `rows_of` is the version whose rows count (None: all), `logged` whether their margins may be
    logged ones, `report` the address of the page in the store. `remark` names rows that no known
    version scored.
    """

    version: int
    rows_of: int | None
    logged: bool
    checked: Checked
    report: str
    what_if: bool = False
    remark: str | None = None
    beside: tuple[Validated, ...] = ()

    @property
    def problem(self) -> str | None:
        """Return why the window cannot be measured."""
        return self.checked.problem

    def to_json(self) -> dict[str, Any]:
        """Return it ready for JSON."""
        return {
            "format": STEP_FORMAT,
            "version": self.version,
            "rows_of": self.rows_of,
            "logged": self.logged,
            "checked": self.checked.to_json(),
            "report": self.report,
            "what_if": self.what_if,
            "remark": self.remark,
            "beside": [other.to_json() for other in self.beside],
        }

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Validated:
        """Return what `to_json` wrote. Raises formats.OtherFormat if it cannot."""
        return _loaded("validated window", raw, cls._read)

    @classmethod
    def _read(cls, raw: Mapping[str, Any]) -> Validated:
        return cls(
            version=raw["version"],
            rows_of=raw["rows_of"],
            logged=raw["logged"],
            checked=Checked.from_json(raw["checked"]),
            report=raw["report"],
            what_if=raw["what_if"],
            remark=raw["remark"],
            beside=tuple(cls.from_json(other) for other in raw["beside"]),
        )


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A validated window, measured under one version; `beside`: the same for each one beside it.

    `summary` is the address of the summary in the store; where there is none, `problem` says why.
    `warnings` are those of the check and of measuring.
    """

    validated: Validated
    summary: str | None
    problem: str | None
    warnings: tuple[str, ...]
    beside: tuple[Measured, ...] = ()

    @property
    def version(self) -> int:
        return self.validated.version

    def to_json(self) -> dict[str, Any]:
        """Return it ready for JSON."""
        return {
            "format": STEP_FORMAT,
            "validated": self.validated.to_json(),
            "summary": self.summary,
            "problem": self.problem,
            "warnings": list(self.warnings),
            "beside": [other.to_json() for other in self.beside],
        }

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Measured:
        """Return what `to_json` wrote. Raises formats.OtherFormat if it cannot."""
        return _loaded("measured window", raw, cls._read)

    @classmethod
    def _read(cls, raw: Mapping[str, Any]) -> Measured:
        return cls(
            validated=Validated.from_json(raw["validated"]),
            summary=raw["summary"],
            problem=raw["problem"],
            warnings=tuple(raw["warnings"]),
            beside=tuple(cls.from_json(other) for other in raw["beside"]),
        )


def _loaded(what: str, raw: Mapping[str, Any], read: Callable[[Mapping[str, Any]], _Step]) -> _Step:
    # Without a number it is none of ours: that of release 0.1 counts as older.
    numbered = {formats.KEY: 0, **raw}
    newer = f"install that release, or {_AGAIN}"
    return formats.load_stored(what, numbered, {STEP_FORMAT: read}, _AGAIN, newer)
