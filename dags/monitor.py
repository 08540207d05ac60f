"""The monitor DAG of each model: validate → measure → judge, one run per window.

Where labels come late, `relabel` then measures those windows again whose labels have come since.

A normal run acts on what the ledger folds to: if an episode is open and nobody was asked yet, it
triggers the retrain DAG, or the rollback DAG if the champion is worse than a version that still
serves; the run id is the proposal. If somebody should be asked and nobody is, `propose` fails
and says why. A what-if only observes, and so does a backfill, unless it was told to `propose` after
its last window.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow.sdk import DAG, AssetOrTimeSchedule, Context, Param, get_current_context, task
from airflow.sdk.exceptions import DownstreamTasksSkipped
from window_timetable import WindowTimetable

from dags.assets import landing_of, scores_of, to_tell
from dags.each_model import each_model, linked, once_a_window, plain, window_of, window_param
from dags.start import Start
from tasks import bounds
from tasks.spec.model import ModelSpec

if TYPE_CHECKING:
    from tasks.flows.ending import Run
    from tasks.ledger.records import Observation
    from tasks.ledger.status import Status


def make(spec: ModelSpec) -> DAG:
    @task
    def validate() -> dict[str, Any] | None:
        from tasks.flows import monitor
        from tasks.reports import brief_links

        context = get_current_context()
        params = context["params"]
        # before anything is measured that nobody could act on
        if params["model_version"] is not None:
            bounds.version(params["model_version"])
        if params["propose"]:
            monitor.windows_of_range(spec, params["propose"])
        window = window_of(spec, context)
        try:
            validated = monitor.validate(spec, window, version=params["model_version"])
        except monitor.NoChampion as said:
            print(said)
            return None
        for remark in (validated.problem, validated.remark):
            if remark:
                print(remark)
        report = brief_links.address_of(validated.report)
        return {**validated.to_json(), "validation_report": report}

    @task
    def measure(validated: dict[str, Any] | None) -> dict[str, Any] | None:
        from tasks.flows import monitor
        from tasks.flows.window_steps import Validated
        from tasks.registry import registry

        if validated is None:
            return None
        window = window_of(spec, get_current_context())
        measured = monitor.measure_as_landed(spec, window, Validated.from_json(validated))
        version = registry.version_url(spec.model, measured.version)
        return {**measured.to_json(), "registered_version": version}

    @task
    def review(validated: dict[str, Any] | None) -> dict[str, Any] | None:
        from tasks.flows import review_queue

        context = get_current_context()
        if validated is None or context["params"]["model_version"] is not None:
            return None
        queue = review_queue.choose_once(spec, window_of(spec, context))
        if queue is None:
            return None
        print(queue.told)
        return {"rows": len(queue.rows), "candidates": queue.candidates}

    @task(outlets=to_tell(spec))
    def judge(measured: dict[str, Any] | None) -> dict[str, Any] | None:
        from tasks.flows import monitor
        from tasks.flows.window_steps import Measured

        context = get_current_context()
        if measured is None:  # a window before the first champion, as `validate` says
            return None if spec.label.late else _action(spec, context)
        seen = monitor.judge(spec, window_of(spec, context), Measured.from_json(measured))
        print(_line(seen))
        known = monitor.status_now(spec)
        if known.advice is not None:
            print(f"{spec.model}: {known.advice}")
        return None if spec.label.late else _action(spec, context, known)

    @task(outlets=to_tell(spec))
    def relabel() -> dict[str, Any]:
        from tasks.flows import late_labels

        context = get_current_context()
        if context["params"]["model_version"] is not None:
            raise _nothing_due()
        for seen in late_labels.measure_again(spec, window_of(spec, context)):
            print(f"{_line(seen)}; revision {seen.revision}")
        for sentence in late_labels.overdue(spec, window_of(spec, context)):
            print(sentence)
        return _action(spec, context)

    with DAG(
        f"monitor.{spec.model}",
        schedule=_schedule(spec),
        **once_a_window(spec),
        params={
            "window": window_param(),
            "model_version": Param(
                None,
                type=["integer", "null"],
                minimum=1,
                maximum=bounds.INTEGER,
                title="What if",
                description="Measure with this version instead of the window's champion. The "
                "result is stored under that version and triggers nothing.",
            ),
            "propose": Param(
                None,
                type=["string", "null"],
                pattern=r"^\d{4}-\d\d-\d\d[^/]*/\d{4}-\d\d-\d\d[^/]*$",
                maxLength=bounds.NAME,
                title="Propose after",
                description="For a backfill: the starts of its first and last window, FROM/TO. "
                "Once all windows of this range are observed, the open episode is proposed. "
                "Empty: nobody is asked.",
            ),
        },
        doc_md=__doc__,
    ) as dag:
        validated = plain(linked(validate(), "validation_report"))
        if spec.review is not None:  # beside the others: nobody waits for it to be judged
            plain(review(validated))
        judged = plain(judge(plain(linked(measure(validated), "registered_version"))))
        last = plain(relabel()) if spec.label.late else judged
        if spec.label.late:
            judged >> last
        last >> Start(spec=spec, due="relabel" if spec.label.late else "judge", task_id="propose")
    return dag


def _schedule(spec: ModelSpec) -> Any:
    """Return when it runs: after each window, and when rows land where the spec names that asset.

    Where it reads the scores that `scoring` writes, it runs when they are written instead.

    A run that scores start takes their window. One that another asset starts takes the newest
    complete one.
    """
    windows: Any = WindowTimetable(spec.window)  # the SDK's types know no scheduler's timetable
    if spec.joined_scores:  # rows that landed can be measured once they are scored
        return AssetOrTimeSchedule(timetable=windows, assets=scores_of(spec.model))
    if spec.source.asset is None:
        return windows
    return AssetOrTimeSchedule(timetable=windows, assets=landing_of(spec.source.asset))


def _line(seen: Observation) -> str:
    return f"{seen.model} v{seen.version} {seen.window}: {seen.verdict}, {seen.reason}"


def _action(spec: ModelSpec, context: Context, known: Status | None = None) -> dict[str, Any]:
    """Return which run to start, or why none is. Raises where none is due, or this run observes.

    Proposals that no run works on any more are ended first. Their episodes are then due again.
    """
    from tasks.flows import ending, monitor

    params = context["params"]
    advises = context["dag_run"].run_type == "backfill" and not params["propose"]
    if params["model_version"] is not None or advises:
        raise _nothing_due()
    known = known or monitor.status_now(spec)
    told = ending.notice(spec, partial(_run, context["ti"]), datetime.now(UTC), known)
    if (canary := monitor.canary_told(spec, known)) is not None:
        told.append(canary)
    for sentence in told:
        print(sentence)
    # What was told may have been recorded just now.
    due = monitor.action(spec, params["propose"] or "", None if told else known)
    if due is None:
        raise _nothing_due()
    if said := due.silence or due.waits:
        print(said)
    if due.waits:
        raise _nothing_due()
    return due.to_json()


def _nothing_due() -> DownstreamTasksSkipped:
    """Return what skips `propose`; a short circuit would leave an XCom about it as well."""
    return DownstreamTasksSkipped(tasks=["propose"])


def _run(ti: Any, dag: str, run: str) -> Run:
    """Return what became of a run."""
    if ti.get_dr_count(dag_id=dag, run_ids=[run], states=["queued", "running"]):
        return "active"
    return "over" if ti.get_dr_count(dag_id=dag, run_ids=[run]) else "gone"


globals().update(each_model(make))
