"""What the steps of the monitor hand to each other, in JSON: counts and addresses, never a row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tasks.errors import Final
from tasks.validation.checked_rows import Checked

STEP_FORMAT = 1  # of both; release 0.1 wrote others, without a number


class OtherStep(Final, ValueError):
    """What an earlier step handed over was written by other code."""


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
        """Return what `to_json` wrote. Raises OtherStep if other code wrote it."""
        _require_format(raw)
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
        """Return what `to_json` wrote. Raises OtherStep if other code wrote it."""
        _require_format(raw)
        return cls(
            validated=Validated.from_json(raw["validated"]),
            summary=raw["summary"],
            problem=raw["problem"],
            warnings=tuple(raw["warnings"]),
            beside=tuple(cls.from_json(other) for other in raw["beside"]),
        )


def _require_format(raw: Mapping[str, Any]) -> None:
    if raw.get("format") != STEP_FORMAT:
        raise OtherStep(
            "an earlier task of this run was done by another release (format "
            f"{raw.get('format', 'without a number')}, this one reads {STEP_FORMAT}); clear the "
            "run from its first task on"
        )
