"""The score DAG of each model whose spec has `scoring`: its champion scores the rows of a window.

Runs at the end of each window, when rows land, or when a version becomes champion: see
`scoring.on`. A window is scored once for each version and digest of its rows. What is written is
what the monitor reads as `source.margin` and `source.version_column`.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, AssetAny, AssetOrTimeSchedule, Param, get_current_context, task
from window_timetable import WindowTimetable

from dags.assets import champion_of, landing_of, scores_of, tell_scored
from dags.each_model import each_model, once_a_window, skipped, window_of, window_param
from tasks.spec.model import ModelSpec
from tasks.spec.scoring_options import Scoring


def make(spec: ModelSpec) -> DAG:
    assert spec.scoring is not None

    @task(outlets=[scores_of(spec.model)])
    def score() -> dict[str, Any]:
        from tasks.data.window_rows import NoRows
        from tasks.flows import score
        from tasks.flows.monitor import NoChampion

        context = get_current_context()
        window = window_of(spec, context)
        with skipped(NoChampion, NoRows):
            found = score.score_once(spec, window, again=bool(context["params"]["again"]))
        print(found.told(spec, window))
        tell_scored(context, spec.model, window)
        return found.to_json()

    with DAG(
        f"score.{spec.model}",
        schedule=_schedule(spec, spec.scoring),
        **once_a_window(spec),
        params={
            "window": window_param(),
            "again": Param(
                False,
                type="boolean",
                title="Score again",
                description="Replace the scores of a window whose rows are others by now.",
            ),
        },
        doc_md=__doc__,
    ) as dag:
        score()
    return dag


def _schedule(spec: ModelSpec, scoring: Scoring) -> Any:
    assets: list[Any] = []
    if "landing" in scoring.on:
        assets.append(landing_of(spec.source.asset or ""))
    if "champion" in scoring.on:
        assets.append(champion_of(spec.model))
    if "window" not in scoring.on:
        return AssetAny(*assets)
    windows: Any = WindowTimetable(spec.window)  # the SDK's types know no scheduler's timetable
    return AssetOrTimeSchedule(timetable=windows, assets=AssetAny(*assets)) if assets else windows


globals().update(each_model(make, lambda spec: spec.scoring is not None))
