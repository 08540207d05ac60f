"""A rehearsal: every incident in every stretch, the blind spots, and what would close them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import numpy as np

from tasks.classifier.training import TrainingError
from tasks.rehearsal.rehearsed import BlindSpot, Rehearsed, ScenarioLine, StretchShown, TriedSetting
from tasks.rehearsal.remedies import Remedy, remedies
from tasks.rehearsal.scenarios import Scenario
from tasks.rehearsal.scene import Incident, NotApplicable
from tasks.rehearsal.stretches import LOOKED_AT, QuietStretch, onsets, quiet_stretches
from tasks.rehearsal.watched import Told, watch
from tasks.replay.history import History
from tasks.replay.trial import Stage
from tasks.spec.model import ModelSpec
from tasks.spec.part import format_duration

Respec = Callable[[Mapping[str, Any]], ModelSpec]


@dataclass(frozen=True)
class Ordered:
    """What is rehearsed: incidents, `windows` of each, in so many `stretches`, by a seed.

    `span` trains each champion; `more` are settings to try beside ours.
    """

    scenarios: Sequence[Scenario]
    windows: int
    stretches: int
    seed: int
    span: timedelta
    more: Sequence[Remedy] = ()


def rehearse_incidents(
    spec: ModelSpec, history: History, asked: Ordered, respec: Respec, stage: Stage
) -> Rehearsed:
    """Play each incident in each quiet stretch, and try settings against what nobody was told of.

    Parameters
    ----------
    respec
        Returns the spec with other settings, by YAML path.

    Raises
    ------
    NoStretch
        If there is no stretch to play on.
    """
    possible = onsets(spec, history, asked.span, asked.windows)
    looked = stage("looking for quiet stretches", min(LOOKED_AT * asked.stretches, len(possible)))
    found = quiet_stretches(
        spec,
        history,
        asked.span,
        windows=asked.windows,
        count=asked.stretches,
        seed=asked.seed,
        advance=looked,
    )
    stretches = found.stretches
    played = stage("playing incidents", len(asked.scenarios) * len(stretches))
    made = {s.name: _made(s, stretches, played) for s in asked.scenarios}
    lines = tuple(made[s.name].line for s in asked.scenarios)
    missed = [s for s in asked.scenarios if made[s.name].line.missed]
    tried = [*remedies(spec, [s.scene for s in stretches]), *asked.more] if missed else []
    trying = stage("trying settings", len(tried))
    spots: dict[str, list[TriedSetting]] = {s.name: [] for s in missed}
    for remedy in tried:
        other = respec(remedy.settings)
        false_alarms = sum(_alarms_alone(other, stretch) for stretch in stretches)
        for scenario in missed:
            incidents = made[scenario.name].incidents
            told = [
                watch(other, stretches[i].scene, incidents[i], scenario.right, weighed=False)
                for i in made[scenario.name].line.missed
            ]
            closes = sum(t.alarm is not None for t in told)
            spots[scenario.name].append(
                TriedSetting(remedy.name, remedy.settings, closes, false_alarms)
            )
        trying()
    return Rehearsed(
        model=spec.model,
        spec=spec.digest,
        settings={},
        every=format_duration(spec.window.every),
        windows=asked.windows,
        seed=asked.seed,
        looked_at=found.looked_at,
        stretches=tuple(_shown(stretch) for stretch in stretches),
        lines=lines,
        blind=tuple(
            BlindSpot(name, len(made[name].line.missed), tuple(found))
            for name, found in spots.items()
        ),
        tried=tuple(remedy.name for remedy in tried),
    )


@dataclass(frozen=True)
class _Made:
    line: ScenarioLine
    incidents: tuple[Incident, ...]


def _made(
    scenario: Scenario, stretches: Sequence[QuietStretch], advance: Callable[..., None]
) -> _Made:
    line = ScenarioLine(
        scenario.name, scenario.sentence, scenario.of_labels, tuple(sorted(scenario.right))
    )
    told: list[Told] = []
    incidents: list[Incident] = []
    for stretch in stretches:
        scene = stretch.scene
        try:
            incident = scenario.make(scene)
        except (NotApplicable, TrainingError) as error:
            advance(len(stretches) - len(told))
            return _Made(replace(line, problem=str(error)), ())
        incidents.append(incident)
        told.append(watch(scene.spec, scene, incident, scenario.right, stretch.usual))
        advance()
    return _Made(replace(line, told=tuple(told)), tuple(incidents))


def _alarms_alone(spec: ModelSpec, stretch: QuietStretch) -> bool:
    """Return whether a spec alarms in a stretch without any incident."""
    scene = replace(stretch.scene, onset=stretch.scene.first)
    nothing = Incident(scene.history, scene.history.label)
    return watch(spec, scene, nothing, weighed=False).alarm is not None


def _shown(stretch: QuietStretch) -> StretchShown:
    scene = stretch.scene
    windows = scene.history.windows
    return StretchShown(
        windows[scene.first].start.isoformat(),
        windows[scene.onset].start.isoformat(),
        windows[-1].end.isoformat(),
        int(np.diff(scene.history.edges[scene.onset :]).sum()),
    )
