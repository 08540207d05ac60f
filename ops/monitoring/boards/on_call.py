"""For whoever was woken: what fires, what drifts, who is waited for, and what nobody can see."""

from __future__ import annotations

from ops.monitoring.boards.board import Board, Panel, Query, Section


def _count(title: str, says: str, expr: str, runbook: str) -> Panel:
    return Panel(
        kind="number",
        title=title,
        says=says,
        queries=(Query(expr=expr),),
        width=4,
        height=4,
        limit=1,
        runbook=runbook,
    )


_SEEN = Section(
    title="Can anything be seen",
    panels=(
        Panel(
            kind="number",
            title="Ledger read",
            says="If not, nothing else on this board is true now.",
            queries=(Query(expr="max(gatelatch_ledger_up) or vector(0)"),),
            width=4,
            height=4,
            texts={"0": ("no", "red"), "1": ("yes", "green")},
            runbook="gatelatchblind",
        ),
        _count(
            "Processes that do not answer",
            "Processes of metrics that Prometheus cannot scrape.",
            'count(up{job="gatelatch"} == 0) or vector(0)',
            "gatelatchblind",
        ),
        _count(
            "Models that cannot be read",
            "Their rows in the ledger cannot be read: nothing is known of them.",
            "count(max by (model) (gatelatch_model_up) == 0) or vector(0)",
            "gatelatchmodelblind",
        ),
        _count(
            "Specs with mistakes",
            "Files of the models folder that cannot be used: their models are not monitored.",
            "max(gatelatch_spec_mistakes)",
            "gatelatchspecmistakes",
        ),
        _count(
            "Chains broken",
            "Models whose ledger is not as it was recorded, or not by who might.",
            'sum(max by (model) (gatelatch_chain_state{state="broken"}))',
            "gatelatchchainbroken",
        ),
        _count(
            "Aliases elsewhere",
            "Models whose alias champion in MLflow is not at the ledger's champion.",
            'sum(max by (model) (gatelatch_champion_alias_state{state="other"}))',
            "gatelatchaliasdiffers",
        ),
        Panel(
            kind="table",
            title="What nobody can see",
            empty="nothing is known of any model",
            says="1: nothing is known of this. Chains are unseen without a key, aliases unless the "
            "process of metrics was started with --aliases. Windows in a row of which nothing "
            "could be said, or whose labels are overdue, are counted.",
            queries=(
                Query(
                    expr='max by (model) (gatelatch_chain_state{state="unseen"})',
                    name="chain unseen",
                ),
                Query(
                    expr='max by (model) (gatelatch_champion_alias_state{state="unseen"})',
                    name="alias unseen",
                ),
                Query(
                    expr="max by (model) (gatelatch_insufficient_windows_in_a_row)",
                    name="windows without a verdict",
                ),
                Query(
                    expr="max by (model) (gatelatch_labels_overdue_windows)",
                    name="windows without labels",
                ),
                Query(
                    expr="max by (model) (gatelatch_slo_unseen_windows)",
                    name="windows without a budget",
                ),
            ),
            runbook="gatelatchinsufficienttwice",
        ),
        Panel(
            kind="table",
            title="What fires",
            empty="nothing fires",
            says="Alerts of Gatelatch. Each has a section in the runbooks under its own name.",
            queries=(
                Query(
                    expr="max by (severity, alertname, model, feature, latch, kind, step) "
                    '(ALERTS{alertname=~"Gatelatch.+", alertstate="firing", '
                    'severity=~"page|ticket"})',
                    name="fires",
                ),
            ),
            runbook="runbooks",
        ),
    ),
)

_DRIFT = Section(
    title="What drifts",
    panels=(
        Panel(
            kind="bars",
            title="Open episodes by feature",
            empty="no episode is open",
            says="By the feature that moved the margins most in the first window of the episode. "
            "Several models that one feature moved have one cause.",
            queries=(
                Query(
                    expr="count by (feature) (max by (model, latch, feature) "
                    "(gatelatch_episode_info))",
                    name="{{feature}}",
                ),
            ),
            width=8,
            runbook="gatelatchdrifting",
        ),
        Panel(
            kind="table",
            title="Open episodes",
            empty="no episode is open",
            says="Each opening of a latch that has not ended. The name of the episode says since "
            "when.",
            queries=(
                Query(
                    expr="max by (model, version, latch, feature, episode) "
                    "(gatelatch_episode_info)",
                    name="open",
                ),
            ),
            width=16,
            runbook="gatelatchdrifting",
        ),
        Panel(
            kind="table",
            title="How fast the error budget burns",
            empty="no labels, or no budget in any spec",
            says="In error budgets. Above 3 over a sixth of the SLO window, half of the budget is "
            "gone in that sixth; if the newest window is above 3 too, it pages.",
            queries=(
                *(
                    Query(
                        expr=f'max by (model, version) (gatelatch_slo_burn_rate{{over="{over}"}})',
                        name=name,
                    )
                    for over, name in (
                        ("last", "newest window"),
                        ("sixth", "a sixth"),
                        ("whole", "the SLO window"),
                    )
                ),
                Query(
                    expr="max by (model, version) (gatelatch_slo_budget_spent_ratio)",
                    name="spent",
                    unit="percentunit",
                ),
            ),
            width=24,
            runbook="gatelatchbudgetburning",
        ),
    ),
)

_PEOPLE = Section(
    title="Who is waited for",
    panels=(
        Panel(
            kind="table",
            title="Questions that wait",
            empty="nobody is asked",
            says="How long ago approvers were asked, and the time until it counts as no answer.",
            queries=(
                Query(
                    expr="time() - min by (model, kind, step) "
                    "(gatelatch_approval_waiting_since_timestamp_seconds)",
                    name="asked ago",
                    unit="s",
                ),
                Query(
                    expr="min by (model, kind, step) "
                    "(gatelatch_approval_deadline_timestamp_seconds) - time()",
                    name="time left",
                    unit="s",
                ),
            ),
            runbook="gatelatchapprovalwaiting",
        ),
        Panel(
            kind="table",
            title="Live proposals",
            empty="no proposal is live",
            says="How many are live, and until when a run of the monitor ends the first whose time "
            "is up. Below zero it should have.",
            queries=(
                Query(
                    expr="sum by (model, kind) (max by (model, kind, step) "
                    "(gatelatch_proposal_live))",
                    name="live",
                ),
                Query(
                    expr="max by (model, kind) (gatelatch_proposal_end_due_timestamp_seconds)"
                    " - time()",
                    name="ended at the latest in",
                    unit="s",
                ),
            ),
            runbook="gatelatchproposalstuck",
        ),
        Panel(
            kind="table",
            title="Messages that were not told",
            empty="no spec has notify: nobody is told",
            says="Events that a channel was not told of yet, and those that it will not be told "
            "of, since all attempts failed.",
            queries=tuple(
                Query(
                    expr=f"max by (model, channel) (gatelatch_notices_{what})",
                    name=what,
                )
                for what in ("pending", "failed")
            ),
            runbook="gatelatchnoticesstuck",
        ),
        Panel(
            kind="table",
            title="Frozen models",
            empty="no model is frozen",
            says="For how long a person has held a model: its windows are measured, and nothing is "
            "proposed or promoted.",
            queries=(
                Query(expr="max by (model) (gatelatch_frozen == 1)", name="frozen"),
                Query(
                    expr="time() - max by (model) (gatelatch_frozen_since_timestamp_seconds)",
                    name="frozen for",
                    unit="s",
                ),
            ),
            runbook="gatelatchfrozen",
        ),
    ),
)

_WINDOWS = Section(
    title="What did not come",
    panels=(
        Panel(
            kind="table",
            title="Overdue windows",
            empty="no window is late",
            says="By how much the run of the next window is late, and that of the one after it.",
            queries=(
                Query(
                    expr="time() - max by (model) (gatelatch_window_due_timestamp_seconds) > 0",
                    name="late by",
                    unit="s",
                ),
                Query(
                    expr="time() - max by (model) "
                    "(gatelatch_second_window_due_timestamp_seconds) > 0",
                    name="the second by",
                    unit="s",
                ),
            ),
            runbook="gatelatchwindowoverdue",
        ),
        Panel(
            kind="table",
            title="Rows of the newest window",
            empty="no window yet",
            says="Accepted, put into quarantine, and labelled. Few accepted rows make a window "
            "insufficient; without labels losses are not known.",
            queries=(
                *(
                    Query(
                        expr="max by (model, version) "
                        f'(gatelatch_window_rows{{outcome="{outcome}"}})',
                        name=outcome,
                    )
                    for outcome in ("accepted", "quarantined")
                ),
                Query(
                    expr="max by (model, version) (gatelatch_window_labelled_rows)",
                    name="labelled",
                ),
            ),
            runbook="gatelatchinsufficienttwice",
        ),
    ),
)

ON_CALL = Board(
    uid="gatelatch-on-call",
    title="Gatelatch: on call",
    says="What fires, what drifts, who is waited for, and what nobody can see. For whoever was "
    "woken. Each row of a table leads to the model's margin view and to a runbook.",
    sections=(_SEEN, _DRIFT, _PEOPLE, _WINDOWS),
    since="now-24h",
)
