"""For whoever looks for the cause: one model over the time of the scrapes, and the exporter."""

from __future__ import annotations

from ops.monitoring.boards.board import Board, Panel, Query, Section
from ops.monitoring.boards.exporter import EXPORTER

_MODEL = 'model="$model"'


def _with_reference(title: str, metric: str, unit: str, says: str) -> Panel:
    return Panel(
        kind="lines",
        title=title,
        says=says,
        queries=(
            Query(expr=f"max by (version) ({metric}{{{_MODEL}}})", name="version {{version}}"),
            Query(
                expr=f"max by (version) ({metric}_reference{{{_MODEL}}})",
                name="version {{version}} when accepted",
            ),
        ),
        empty="no labels: not known",
        unit=unit,
        width=8,
        runbook="gatelatchbudgetburning",
    )


def _number(title: str, says: str, expr: str, unit: str = "short", runbook: str = "") -> Panel:
    return Panel(
        kind="number",
        title=title,
        says=says,
        queries=(Query(expr=expr),),
        unit=unit,
        width=6,
        height=4,
        runbook=runbook,
    )


def _code(metric: str, label: str, by: str, *states: str, rest: str = "") -> str:
    """Return a query that gives the first state as 0, the second as 1, and so on."""
    of = ", ".join((_MODEL, rest)) if rest else _MODEL
    terms = (
        f'{code} * max by ({by}) ({metric}{{{of}, {label}="{state}"}})'
        for code, state in enumerate(states)
    )
    return " + ".join(terms)


_NOW = Section(
    title="$model now",
    panels=(
        _number(
            "Champion",
            "The version that is champion.",
            f"max(gatelatch_champion_version{{{_MODEL}}})",
        ),
        _number(
            "Newest window ended",
            "The end of the newest observed window, in the time of the data.",
            f"1000 * max(gatelatch_window_end_timestamp_seconds{{{_MODEL}}})",
            unit="dateTimeAsIso",
        ),
        _number(
            "Next window due in",
            "Below zero the run of the next window is late.",
            f"max(gatelatch_window_due_timestamp_seconds{{{_MODEL}}}) - time()",
            unit="s",
            runbook="gatelatchwindowoverdue",
        ),
        _number(
            "Windows without a verdict",
            "Newest windows in a row of which nothing could be said. What the other panels show "
            "stands as the last window with a verdict left it.",
            f"max(gatelatch_insufficient_windows_in_a_row{{{_MODEL}}})",
            runbook="gatelatchinsufficienttwice",
        ),
    ),
)

_DRIFT = Section(
    title="Drift",
    panels=(
        Panel(
            kind="lines",
            title="Pressure of each statistic",
            empty="no window with a verdict yet",
            says="Change as a share of its limit: above 1 the statistic breaches. The margin view "
            "has the same by window, in the time of the data.",
            queries=(
                Query(
                    expr=f"max by (statistic) (gatelatch_drift_pressure_ratio{{{_MODEL}}})",
                    name="{{statistic}}",
                ),
            ),
            unit="percentunit",
            limit=1,
            runbook="gatelatchdrifting",
        ),
        Panel(
            kind="states",
            title="Latches",
            says="The states of the latch of the margins and of that of the probabilities.",
            queries=(
                Query(
                    expr=_code(
                        "gatelatch_latch_state", "state", "latch", "closed", "resting", "open"
                    ),
                    name="{{latch}}",
                ),
            ),
            texts={"0": ("closed", "green"), "1": ("resting", "blue"), "2": ("open", "orange")},
            width=6,
            runbook="gatelatchdrifting",
        ),
        Panel(
            kind="states",
            title="Verdict of the newest window",
            empty="no window yet",
            says="Insufficient is not steady: nothing could be said of the window.",
            queries=(
                Query(
                    expr=_code(
                        "gatelatch_window_verdict",
                        "verdict",
                        "version",
                        "steady",
                        "insufficient",
                        "drifting",
                    ),
                    name="version {{version}}",
                ),
            ),
            texts={
                "0": ("steady", "green"),
                "1": ("insufficient", "purple"),
                "2": ("drifting", "orange"),
            },
            width=6,
            runbook="gatelatchinsufficienttwice",
        ),
    ),
)

_LOSSES = Section(
    title="Losses against the reference",
    panels=(
        _with_reference(
            "Hinge loss",
            "gatelatch_hinge_loss",
            "short",
            "Mean hinge loss of the newest window with labels. Without labels there is no line.",
        ),
        _with_reference(
            "Accuracy",
            "gatelatch_accuracy_ratio",
            "percentunit",
            "Labelled rows that are decided right. Without labels there is no line.",
        ),
        _with_reference(
            "Violations",
            "gatelatch_violation_ratio",
            "percentunit",
            "Labelled margins below 1. They may rise while everything gets better.",
        ),
        Panel(
            kind="lines",
            title="How fast the error budget burns",
            empty="no labels, or no budget in the spec",
            says="In error budgets. Above 3 over a sixth and in the newest window it pages.",
            queries=(
                Query(expr=f"max by (over) (gatelatch_slo_burn_rate{{{_MODEL}}})", name="{{over}}"),
            ),
            limit=3,
            runbook="gatelatchbudgetburning",
        ),
        Panel(
            kind="lines",
            title="Error budget spent",
            empty="no labels, or no budget in the spec",
            says="Above 1 all of it is gone.",
            queries=(
                Query(
                    expr=f"max by (version) (gatelatch_slo_budget_spent_ratio{{{_MODEL}}})",
                    name="version {{version}}",
                ),
            ),
            unit="percentunit",
            limit=1,
            runbook="gatelatchbudgetspent",
        ),
    ),
)

_ROWS = Section(
    title="Rows, questions and trust",
    panels=(
        Panel(
            kind="lines",
            title="Rows of the newest window",
            says="Accepted, put into quarantine, and labelled.",
            queries=(
                Query(
                    expr=f"max by (outcome) (gatelatch_window_rows{{{_MODEL}}})", name="{{outcome}}"
                ),
                Query(
                    expr=f"max(gatelatch_window_labelled_rows{{{_MODEL}}})",
                    name="labelled",
                ),
            ),
            width=8,
            runbook="gatelatchinsufficienttwice",
        ),
        Panel(
            kind="lines",
            title="Live proposals",
            empty="no proposal is live",
            says="By the step that somebody is asked about; none where a run works on it.",
            queries=(
                Query(
                    expr=f"max by (kind, step) (gatelatch_proposal_live{{{_MODEL}}})",
                    name="{{kind}}: {{step}}",
                ),
            ),
            width=8,
            runbook="gatelatchproposalstuck",
        ),
        Panel(
            kind="states",
            title="Chain and alias",
            says="Whether the ledger's links and signatures hold, and whether MLflow's alias is at "
            "the ledger's champion. Unseen: nobody could look.",
            queries=(
                Query(
                    expr=_code(
                        "gatelatch_chain_state", "state", "model", "intact", "unseen", "broken"
                    ),
                    name="chain",
                ),
                Query(
                    expr=_code(
                        "gatelatch_champion_alias_state",
                        "state",
                        "model",
                        "same",
                        "unseen",
                        "other",
                    ),
                    name="alias",
                ),
            ),
            texts={"0": ("well", "green"), "1": ("unseen", "purple"), "2": ("wrong", "red")},
            width=8,
            runbook="gatelatchchainbroken",
        ),
    ),
)

DEBUG = Board(
    uid="gatelatch-debug",
    title="Gatelatch: one model",
    says="One model over the time in which Prometheus asked, and the process of metrics. For "
    "whoever looks for a cause. The history in the time of the data is in the margin view.",
    sections=(_NOW, _DRIFT, _LOSSES, _ROWS, EXPORTER),
    since="now-30d",
    of_one_model=True,
)
