"""An incident played: whether somebody was told, when, of what, and what the gates did. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import numpy as np

from tasks.arrays import Floats
from tasks.drift.diagnosis import Diagnosis
from tasks.drift.error_budget import spent
from tasks.drift.explanation import explain
from tasks.drift.label_gap import LabelGap, label_gap
from tasks.rehearsal.scenarios import BY_GATES, DRIFT, MOVED, OVERDUE, ROLLBACK, STOPPED
from tasks.rehearsal.scene import Incident, Scene, errors_of
from tasks.rehearsal.validated import validated_again
from tasks.replay.history import History
from tasks.replay.play import windows_of
from tasks.replay.playing import JudgedWindow, Playing
from tasks.replay.trained_model import Trained
from tasks.spec.model import ModelSpec

LATCH, SILENT, BUDGET = "latch", "insufficient", "budget"
NOT_ASKED = "not asked"  # of gates
HARM = 0.01  # more wrong decisions, as a share of the rows, are harm


@dataclass(frozen=True)
class Told:
    """What people were told of an incident, in one stretch of history.

    `alarm` is what told them (`latch`: it opened; `insufficient`: two windows in a row; `budget`:
    it pages; `rollback`: it is proposed; `labels`: they are overdue; `gates`: they refused the
    candidate), None if nothing did;
    `windows` and `rows` how many of the incident there were by then, None without an alarm.
    `causes` are what named a cause by then, `right` whether one of these is right.
    `gates` says what became of the first candidate. `wrong` counts the decisions that were wrong,
    beyond those without the incident, until the alarm; `harm` is their share of the rows, until the
    end of the stretch. Both are None where rows have no decision.
    """

    alarm: str | None
    windows: int | None
    rows: int | None
    causes: tuple[str, ...]
    right: bool
    gates: str
    wrong: int | None
    harm: float | None

    @property
    def harmful(self) -> bool:
        return self.harm is None or self.harm >= HARM


@dataclass
class _Seen:
    """What was said until the alarm."""

    alarm: str | None = None
    at: int = 0
    causes: dict[str, None] = field(default_factory=dict)
    gates: str = NOT_ASKED


def watch(
    spec: ModelSpec,
    scene: Scene,
    incident: Incident,
    right: frozenset[str] = frozenset(),
    usual: Collection[str] = (),
    *,
    weighed: bool = True,
) -> Told:
    """Play an incident under a spec, and return what people were told.

    Parameters
    ----------
    spec
        That of the scene, or one with other settings.
    right
        Causes that count as right.
    usual
        Causes that are named without any incident: they tell nothing.
    weighed
        Whether wrong decisions are counted; if not, `wrong` and `harm` are None.
    """
    late = spec.label.delay + incident.delay
    spec = spec.model_copy(update={"label": spec.label.model_copy(update={"delay": late})})
    history = _as_monitored(spec, scene, incident)
    by_hand: dict[int, Trained] = {}
    candidate, refused = incident.candidate or incident.asked, ""
    if candidate is not None:
        failed = [gate.title for gate in candidate.accepted.gates if not gate.passed]
        refused = ", ".join(failed)
        if incident.candidate is not None or not failed:
            by_hand = {scene.onset: candidate}
    seen = _Seen()
    if candidate is not None:
        seen.gates = f"refused: {refused}" if refused else "passed"
    if incident.asked is not None and refused:
        seen.alarm, seen.at, seen.causes = BY_GATES, scene.onset - 1, {BY_GATES: None}
    else:
        _play(spec, scene, history, incident, by_hand, seen)
    last = scene.onset + scene.windows - 1 if seen.alarm is None else seen.at
    ruling = next(iter(by_hand.values()), scene.champion)
    lost: Floats | None = np.zeros(scene.windows)
    if seen.alarm != BY_GATES:
        lost = _lost(scene, incident, ruling) if weighed else None
    until = slice(0, last - scene.onset + 1)
    rows = np.diff(incident.history.edges[scene.onset :])
    causes = tuple(name for name in seen.causes if name not in usual)
    return Told(
        seen.alarm,
        None if seen.alarm is None else last - scene.onset + 1,
        None if seen.alarm is None else int(rows[until].sum()),
        causes,
        _right(right, causes, seen.alarm),
        seen.gates,
        None if lost is None else round(float(lost[until].sum())),
        None if lost is None else float(lost.sum() / max(rows.sum(), 1)),
    )


def _as_monitored(spec: ModelSpec, scene: Scene, incident: Incident) -> History:
    history = incident.history
    if spec.expectations != scene.spec.expectations:
        return validated_again(spec, history, scene.first, spec.features.columns)
    if incident.columns or len(history.times) != len(scene.history.times):
        return validated_again(spec, history, scene.onset, incident.columns)
    return history


def _play(
    spec: ModelSpec,
    scene: Scene,
    history: History,
    incident: Incident,
    by_hand: Mapping[int, Trained],
    seen: _Seen,
) -> None:
    """Play until there is an alarm and, if it leads to a candidate, until its gates have spoken."""
    run = Playing(spec, history, scene.first, scene.span, scene.champion)
    for index in windows_of(run, by_hand):
        if seen.alarm is None:
            seen.alarm, seen.at = _alarm(spec, run, scene.onset), index
        for heard in run.heard:
            if heard.index >= scene.onset and index <= seen.at:
                seen.causes.update(dict.fromkeys(_causes(heard, incident)))
        if seen.alarm in (ROLLBACK, OVERDUE):
            seen.causes[seen.alarm] = None
        if run.retrains and run.retrains[-1].index >= scene.onset:
            retrain = run.retrains[-1]
            refused = ", ".join(gate.title for gate in retrain.gates if not gate.passed)
            seen.gates = "passed" if retrain.version else f"refused: {refused or 'no candidate'}"
            break
        if seen.alarm in (ROLLBACK, SILENT, BUDGET, OVERDUE):
            break


def _alarm(spec: ModelSpec, run: Playing, onset: int) -> str | None:
    """Return what tells people at the end of the newest window; see docs/messages.md."""
    newest = run.steps[-1]
    if newest.index < onset:
        return None
    if run.rollbacks:
        return ROLLBACK
    if newest.latch.state == "open":
        return LATCH
    silent = [s.judgement.verdict == "insufficient" for s in run.steps[-2:]]
    if len(silent) == 2 and all(silent):
        return SILENT
    if spec.slo is not None:
        metrics = [s.metric for s in run.steps if s.metric is not None]
        told = spent(spec.slo, spec.slo.windows(spec.window.every), metrics)
        if told and told[-1].pages:
            return BUDGET
    gap = gap_in(run)
    return OVERDUE if gap is not None and gap.told else None


def gap_in(run: Playing) -> LabelGap | None:
    """Return the windows of a play whose labels are overdue at the end of the newest one."""
    newest_first = (
        (run.history.windows[s.index], sum(s.labels.values()) if s.judgement.statistics else None)
        for s in reversed(run.steps)
    )
    return label_gap(run.spec, newest_first, run.now)


def _causes(heard: JudgedWindow, incident: Incident) -> list[str]:
    """Return what names a cause in a window: findings, what moved, why it was stopped."""
    said, names = heard.said, incident.columns
    if not said.statistics:
        if said.verdict != "insufficient":
            return []
        return [STOPPED] if not names or any(f"'{n}'" in said.reason for n in names) else []
    summary = heard.champion.summary(heard.index, heard.labels_known)
    told = explain(summary, heard.champion.reference, said, heard.champion.hinge_gap)
    found = [_cause(d, list(heard.champion.reference.summary.features)) for d in told.diagnoses]
    if said.verdict == "drifting":
        moved = told.moved.features if told.moved else {}
        most = [*list(moved)[:1], *(shift.feature for shift in told.features[:1])]
        found += [f"{MOVED} {name}" for name in dict.fromkeys(most) if name in names]
    return found


def _cause(found: Diagnosis, features: list[str]) -> str:
    """Return the name of a finding, and the feature where it is about one."""
    about = [f for f in features if found.finding.startswith(f"{f} ")]
    return " ".join([found.name, *about[:1]])


def _right(right: frozenset[str], causes: tuple[str, ...], alarm: str | None) -> bool:
    """Return whether a right cause was named; of plain drift, whether there is no finding."""
    if DRIFT in right and alarm is not None and not causes:
        return True
    return any(name.partition(" ")[0] in right for name in causes)


def _lost(scene: Scene, incident: Incident, ruling: Trained) -> Floats | None:
    """Return the wrong decisions of each window beyond those without the incident."""
    before = scene.errors
    after = errors_of(ruling, incident.history, incident.truth, scene.onset)
    if before is None or after is None:  # nobody can tell
        return None
    lost: Floats = np.nan_to_num(after - before)
    return lost * np.diff(incident.history.edges[scene.onset :])
