"""For whoever answers for the models: where they stand, how good they are, what was decided."""

from __future__ import annotations

from ops.monitoring.boards.board import Board, Panel, Query, Section

_STANDING = Section(
    title="Where models stand",
    panels=(
        Panel(
            kind="number",
            title="Models",
            says="Models that have a usable spec.",
            queries=(Query(expr="count(max by (model) (gatelatch_model_info)) or vector(0)"),),
            width=4,
            height=4,
        ),
        Panel(
            kind="number",
            title="With a champion",
            says="Models that have a version in production; the others wait for their first.",
            queries=(
                Query(expr="count(max by (model) (gatelatch_champion_version)) or vector(0)"),
            ),
            width=4,
            height=4,
        ),
        Panel(
            kind="number",
            title="Drifting",
            says="Models whose latch of the margins is open.",
            queries=(
                Query(
                    expr='sum(max by (model) (gatelatch_latch_state{latch="drift", state="open"}))'
                ),
            ),
            width=4,
            height=4,
            limit=1,
            runbook="gatelatchdrifting",
        ),
        Panel(
            kind="number",
            title="Questions that wait",
            says="Questions to approvers that nobody has answered yet.",
            queries=(
                Query(
                    expr="count(max by (model, kind, step) "
                    "(gatelatch_approval_waiting_since_timestamp_seconds)) or vector(0)"
                ),
            ),
            width=4,
            height=4,
            limit=1,
            runbook="gatelatchapprovalwaiting",
        ),
        Panel(
            kind="number",
            title="Budgets spent",
            says="Models that have spent more than their whole error budget. Models without labels "
            "have no budget and do not count.",
            queries=(
                Query(
                    expr="count(max by (model) (gatelatch_slo_budget_spent_ratio) > 1) or vector(0)"
                ),
            ),
            width=4,
            height=4,
            limit=1,
            runbook="gatelatchbudgetspent",
        ),
        Panel(
            kind="number",
            title="Not seen",
            says="Models of whose newest window nothing could be said, or that cannot be read.",
            queries=(
                Query(
                    expr="count("
                    'max by (model) (gatelatch_window_verdict{verdict="insufficient"}) == 1'
                    " or max by (model) (gatelatch_model_up) == 0) or vector(0)"
                ),
            ),
            width=4,
            height=4,
            limit=1,
            runbook="gatelatchinsufficienttwice",
        ),
        Panel(
            kind="bars",
            title="Models by the state of the latch",
            says="Open: drift was confirmed. Resting: somebody decided a short time ago.",
            queries=(
                Query(
                    expr="sum by (state) "
                    '(max by (model, state) (gatelatch_latch_state{latch="drift"}))',
                    name="{{state}}",
                ),
            ),
            height=6,
        ),
        Panel(
            kind="bars",
            title="Models by the verdict of the newest window",
            empty="no window yet",
            says="Insufficient is not steady: nothing could be said of the window.",
            queries=(
                Query(
                    expr="sum by (verdict) (max by (model, verdict) (gatelatch_window_verdict))",
                    name="{{verdict}}",
                ),
            ),
            height=6,
        ),
    ),
)

_QUALITY = Section(
    title="How good they are",
    panels=(
        Panel(
            kind="table",
            title="Accuracy and loss, now and when accepted",
            empty="no labels: not known",
            says="Of the newest window with labels, beside the champion when it was accepted. A "
            "model without labels is missing: its accuracy is not known.",
            queries=(
                Query(
                    expr="max by (model, version) (gatelatch_accuracy_ratio)",
                    name="accuracy",
                    unit="percentunit",
                ),
                Query(
                    expr="max by (model, version) (gatelatch_accuracy_ratio_reference)",
                    name="accuracy when accepted",
                    unit="percentunit",
                ),
                Query(expr="max by (model, version) (gatelatch_hinge_loss)", name="hinge loss"),
                Query(
                    expr="max by (model, version) (gatelatch_hinge_loss_reference)",
                    name="hinge loss when accepted",
                ),
            ),
        ),
        Panel(
            kind="table",
            title="Error budget left",
            empty="no labels, or no budget in any spec",
            says="Below zero the model has lost more than its owner means to bear. A model without "
            "labels has no budget and is missing.",
            queries=(
                Query(
                    expr="1 - max by (model, version) (gatelatch_slo_budget_spent_ratio)",
                    name="left",
                    unit="percentunit",
                ),
                Query(
                    expr='max by (model, version) (gatelatch_slo_burn_rate{over="last"})',
                    name="times the budget in the newest window",
                ),
            ),
            runbook="gatelatchbudgetspent",
        ),
        Panel(
            kind="lines",
            title="Error budget spent",
            empty="no labels, or no budget in any spec",
            says="As it stood when Prometheus asked. By window, in the time of the data, it is in "
            "the margin view.",
            queries=(
                Query(
                    expr="max by (model) (gatelatch_slo_budget_spent_ratio)",
                    name="{{model}}",
                ),
            ),
            unit="percentunit",
            limit=1,
            width=24,
            runbook="gatelatchbudgetspent",
        ),
    ),
)

_DECIDED = Section(
    title="What was decided",
    panels=(
        Panel(
            kind="number",
            title="Promotions and rollbacks in the time shown",
            says="Champions that changed since the beginning of the time shown, as far back as "
            "Prometheus remembers.",
            queries=(
                Query(
                    expr="sum(max by (model) ("
                    "max_over_time(gatelatch_promotions_total[$__range])"
                    " - min_over_time(gatelatch_promotions_total[$__range])))"
                ),
            ),
            width=6,
        ),
        Panel(
            kind="bars",
            title="Answers, since the beginning",
            empty="nobody was asked yet",
            says="What was answered when people were asked to retrain, promote or go back, by them "
            "or by the policy.",
            queries=(
                Query(
                    expr="sum by (answer) (max by (model, step, answer) "
                    '(gatelatch_decisions_total{step=~"retrain|promote|rollback"}))',
                    name="{{answer}}",
                ),
            ),
            width=6,
        ),
        Panel(
            kind="table",
            title="Openings of a latch in a year",
            says="In the year before the newest window, by what ended them, beside what the spec "
            "allows on a healthy model and what chance explains.",
            queries=(
                *(
                    Query(
                        expr="max by (model, latch) "
                        f'(gatelatch_latch_openings{{outcome="{outcome}"}})',
                        name=name,
                    )
                    for outcome, name in (
                        ("promoted", "promoted"),
                        ("closed", "closed without a promotion"),
                        ("open", "still open"),
                    )
                ),
                Query(
                    expr="max by (model, latch) (gatelatch_latch_openings_allowed)", name="allowed"
                ),
                Query(
                    expr="max by (model, latch) (gatelatch_latch_openings_by_chance)",
                    name="by chance",
                ),
            ),
            runbook="gatelatchalarmbudgetexceeded",
        ),
    ),
)

EXECUTIVE = Board(
    uid="gatelatch-executive",
    title="Gatelatch: models",
    says="Where all models stand, how good they are, and what was decided. For whoever answers "
    "for them.",
    sections=(_STANDING, _QUALITY, _DECIDED),
    since="now-90d",
)
