"""The monitor's rules once more, on rows that an incident or another spec changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from tasks.rehearsal.scene import without_rows
from tasks.replay.history import History
from tasks.replay.past_rows import window_problem
from tasks.spec.model import ModelSpec
from tasks.validation.rules import Rule, rules_of
from tasks.validation.suite import Suite


def validated_again(
    spec: ModelSpec, history: History, first: int, columns: Sequence[str]
) -> History:
    """Return the history without the rows that the monitor would quarantine, and what stops it.

    Rules of other columns have judged these rows before, and still hold.

    Parameters
    ----------
    first
        The window from which on rows are judged.
    columns
        Features whose rules are judged.
    """
    rules = [rule for rule in rules_of(spec) if _of_features(rule, history, columns)]
    start = int(history.edges[first])
    frame = history.frame.iloc[start:].reset_index(drop=True)
    strict = tuple(rule for rule in rules if rule.mostly == 1)
    tolerant = tuple(rule for rule in rules if rule.mostly < 1)
    gone = np.zeros(len(history.times), dtype=bool)
    reasons: list[tuple[Rule, np.ndarray]] = []
    suite = Suite(rules) if rules else None
    if suite is not None and strict and len(frame):
        reasons = [(f.rule, f.mask) for f in suite.run(frame, strict)]
        gone[start:] = np.logical_or.reduce([mask for _, mask in reasons])

    def failed(rows: slice) -> str | None:
        if suite is None or not tolerant:
            return None
        part = history.frame.iloc[rows].reset_index(drop=True)
        checks = (f.rule.check(f.tally) for f in suite.run(part, tolerant))
        return next((check.text for check in checks if not check.passed), None)

    def problem(index: int) -> str | None:
        rows = history.rows(index)
        good, window = ~gone[rows], history.windows[index]
        said = window_problem(spec, window, history.times[rows], good, partial(failed, rows))
        if said is None or good.all():
            return said
        mine = slice(rows.start - start, rows.stop - start)
        worst = Counter({str(rule): int(mask[mine].sum()) for rule, mask in reasons})
        return f"{said}; most of them by {worst.most_common(1)[0][0]}"

    judged = [problem(index) for index in range(first, len(history.windows))]
    problems = (*history.problems[:first], *judged)
    kept = tuple(now or before for now, before in zip(problems, history.problems, strict=True))
    return replace(without_rows(history, gone) if gone.any() else history, problems=kept)


def _of_features(rule: Rule, history: History, columns: Sequence[str]) -> bool:
    """Return whether a rule reads one of these columns, and features alone."""
    names = rule.column.split(", ")
    return all(name in history.frame for name in names) and any(n in columns for n in names)
