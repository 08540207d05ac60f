"""What the DAG files share: one DAG per model spec, the window of a run, buttons on tasks."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import wraps
from typing import Any

from airflow.sdk import (
    DAG,
    Context,
    ExceptionRetryPolicy,
    Param,
    RetryAction,
    RetryRule,
    XComArg,
    get_current_context,
    get_parsing_context,
)
from airflow.sdk.exceptions import AirflowSkipException
from airflow.sdk.log import mask_secret

from dags.assets import starts_scored
from tasks import bounds
from tasks.errors import Final
from tasks.redaction import secrets_of
from tasks.spec.model import ModelSpec
from tasks.spec.part import SpecError
from tasks.spec.spec_files import find, load_all, models_folder
from tasks.spec.windows import Window, latest_complete, window_at


def read_apart_when_tried_again(context: Context) -> None:
    """Let a child read files first if an attempt failed before: a file may have ended it."""
    if context["ti"].try_number > 1:
        from tasks.data import apart

        apart.begin()


# 10, 20, 40, 80, 160 s, at least: what a server that hangs needs to come back. What is final is not
# tried again: see docs/decisions/023-errors-have-two-kinds.md.
DEFAULTS = {
    "retry_policy": ExceptionRetryPolicy(
        [RetryRule(Final, RetryAction.FAIL, reason="another attempt would end in the same way")]
    ),
    "retries": 5,
    "retry_delay": timedelta(seconds=10),
    "retry_exponential_backoff": 2,
    "max_retry_delay": timedelta(minutes=5),
    "pre_execute": read_apart_when_tried_again,
}

# Seconds. A sensor in mode `reschedule` waits in no process and uses up no retry.
FOR_EVER = timedelta(days=3650).total_seconds()
LOOK_FOR_THAW = 60.0  # from one look to the next, whether a freeze still holds a promotion


def hide_secrets() -> None:
    """Let Airflow's logs hide what the environment keeps secret, also where a traceback quotes it.

    Each file of DAGs asks for it: it holds in the process that parses the file or runs a task of
    it, and in none that is forked from there.
    """
    for secret in secrets_of(os.environ):
        mask_secret(secret)


def each_model(
    make: Callable[[ModelSpec], DAG], wants: Callable[[ModelSpec], bool] = lambda _: True
) -> dict[str, DAG]:
    """Return `make(spec)` for each usable spec in the models folder that wants it, by DAG id.

    The process of a task needs its own DAG alone: what it costs must not grow with the models.
    """
    hide_secrets()
    asked = get_parsing_context().dag_id
    if asked is None:
        made, _ = made_of(make, filter(wants, load_all()[0]))
    else:
        made = [make(spec) for spec in filter(wants, _one(asked.partition(".")[2]))]
    return {dag.dag_id: dag for dag in made}


def _one(model: str) -> list[ModelSpec]:
    try:
        return [find(model)]
    except SpecError as error:  # Airflow then says that it does not find the DAG
        print(error)
        return []


def made_of(
    make: Callable[[ModelSpec], DAG], specs: Iterable[ModelSpec]
) -> tuple[list[DAG], list[str]]:
    """Return the DAGs that can be made of the specs, and what is wrong with the other specs.

    Each DAG is validated here, as Airflow does later: an error there would cost every DAG of the
    file.
    """
    made, mistakes = [], []
    for spec in specs:
        try:
            dag = make(spec)
            dag.validate()
            dag.check_cycle()
            made.append(dag)
        except Exception as error:
            told = f"{type(error).__name__}: {str(error)[:500]}"
            mistakes.append(
                f"{models_folder() / spec.model}.yaml: Airflow cannot make a DAG of it ({told}); "
                "compare it with docs/spec.md"
            )
    return made, mistakes


def once_a_window(spec: ModelSpec) -> dict[str, Any]:
    """Return what the DAGs share that run once for each window."""
    return {
        "start_date": spec.window.start,
        "end_date": spec.window.end,
        "catchup": spec.window.catchup,
        "max_active_runs": 4,
        "default_args": DEFAULTS,
        "tags": ["gatelatch", spec.model],
        "auto_register": False,  # by its name in its file alone: spec_mistakes.py makes it too
    }


def window_param() -> Param:
    """Return the field of a run's form that `window_of` reads."""
    return Param(
        None,
        type=["string", "null"],
        format="date-time",
        maxLength=bounds.NAME,
        description="Any moment in the window (UTC). Empty: the run's data interval, or for a run "
        "without one the newest complete window.",
    )


def window_of(spec: ModelSpec, context: Context) -> Window:
    """Return the window that a run of the monitor owns.

    The one its form names, else its data interval, else the newest of those whose scores started
    it, else the newest complete one.

    Raises
    ------
    tasks.bounds.OutOfBounds
        If the form names no moment.
    ValueError
        If the data interval is not a window of the spec's grid.
    """
    named = context["params"]["window"]
    if named:
        return window_at(spec.window, bounds.moment(named, "window"))
    run = context["dag_run"]
    if run.data_interval_start is None or run.data_interval_start == run.data_interval_end:
        if scored := starts_scored(context, spec.model):
            return window_at(spec.window, max(scored))
        return latest_complete(spec.window, run.run_after)  # not the clock: a retry would move on
    window = window_at(spec.window, run.data_interval_start)
    if window.start != run.data_interval_start or window.end != run.data_interval_end:
        raise ValueError(
            f"{run.run_id}: its data interval {run.data_interval_start} … {run.data_interval_end} "
            f"is no window of {spec.model}; the window there is {window}"
        )
    return window


@contextmanager
def skipped(*errors: type[Exception]) -> Iterator[None]:
    """Skip the task, and the tasks after it, if there is nothing left to do."""
    try:
        yield
    except errors as said:
        raise AirflowSkipException(str(said)) from None


def by_monitor(spec: ModelSpec, context: Context) -> bool:
    """Return whether the monitor started this run: by a task, and under a name of its own.

    Airflow itself records that a task started it; nobody can forge that.
    """
    from tasks.promotion.proposals import reserved

    run = context["dag_run"]
    return run.run_type == "operator_triggered" and reserved(spec, run.run_id)


def run_link(context: Context) -> str:
    """Return the address of a run's page in the Airflow UI."""
    run = context["dag_run"]
    return f"/dags/{run.dag_id}/runs/{run.run_id}"


def plain(task: Any) -> Any:
    """Let Airflow render no templates of a task, and store none: that is a request for each run.

    What tasks before it return reaches it all the same.
    """
    operator = task.operator
    call, operator.template_fields = operator.python_callable, ()

    @wraps(call)
    def resolved(*arguments: Any) -> Any:
        context = get_current_context()
        return call(*(a.resolve(context) if isinstance(a, XComArg) else a for a in arguments))

    operator.python_callable = resolved
    return task


def linked(task: Any, *names: str) -> Any:
    """Give a task buttons in the UI; each opens what the task's result has under that name."""
    from links import ResultLink

    operator = task.operator
    links = operator.operator_extra_links = tuple(ResultLink(name) for name in names)
    call = operator.python_callable

    @wraps(call)
    def noted(*arguments: Any, **named: Any) -> Any:
        result = call(*arguments, **named)
        for link in links:  # so that none of them has to ask Airflow for it
            link.result = getattr(result, "xcom_value", result)
        return result

    operator.python_callable = noted
    return task
