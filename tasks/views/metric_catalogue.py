"""Every metric that Gatelatch exposes: name, type, unit, labels, and how many series it may have.

The names follow Prometheus's conventions: a prefix, base units, one meaning each, and labels over
which a sum or a comparison makes sense. `docs/metrics.md` is written from here.
"""

from __future__ import annotations

from tasks.spec.notify_options import MOST_CHANNELS
from tasks.views.metric_family import (
    ALIAS_STATES,
    ASKED_STEPS,
    CHAIN_STATES,
    DECISION_ANSWERS,
    DECISION_STEPS,
    LATCHES,
    OPENING_ENDS,
    OUTCOMES,
    PARTS_OF_SLO,
    PROPOSAL_KINDS,
    STATES,
    STATISTICS,
    VERDICTS,
    MetricFamily,
    MetricUnit,
)

_MODEL = ("model",)
_VERSION = ("model", "version")
_ASKED = ("model", "kind", "step")
_ASKED_MOST = len(PROPOSAL_KINDS) * len(ASKED_STEPS)


def _loss(name: str, unit: MetricUnit, words: str) -> tuple[MetricFamily, MetricFamily]:
    now = f"{words} of the newest window with labels"
    then = f"{words} of the champion when it was accepted"
    return (
        MetricFamily(name=name, type="gauge", unit=unit, labels=_VERSION, says=now),
        MetricFamily(name=f"{name}_reference", type="gauge", unit=unit, labels=_VERSION, says=then),
    )


OF_EXPORTER = (
    MetricFamily(
        name="gatelatch_ledger_up",
        type="gauge",
        says="1 if the ledger was read, else 0; then nothing is said of any model",
    ),
    MetricFamily(
        name="gatelatch_ledger_read_duration_seconds",
        type="gauge",
        unit="seconds",
        says="Seconds that reading what is new in the ledger took",
    ),
    MetricFamily(
        name="gatelatch_spec_mistakes",
        type="gauge",
        says="Files of the models folder that cannot be used, so that their models are not seen",
    ),
    MetricFamily(
        name="gatelatch_checks_end_timestamp_seconds",
        type="gauge",
        unit="seconds",
        says="When all chains, and all aliases if asked for, had been looked at last, in Unix "
        "time; absent before",
    ),
    MetricFamily(
        name="gatelatch_build_info",
        type="info",
        labels=("release",),
        says="The release of Gatelatch that reads the ledger",
    ),
)

OF_MODELS = (
    MetricFamily(
        name="gatelatch_model_up",
        type="gauge",
        labels=_MODEL,
        says="1 if the model's rows could be read and folded, else 0; the log says why",
    ),
    MetricFamily(
        name="gatelatch_model_info",
        type="info",
        labels=("model", "owner"),
        says="Whom a model belongs to, as its spec says",
    ),
    MetricFamily(
        name="gatelatch_frozen",
        type="gauge",
        labels=_MODEL,
        says="1 if a person froze the model, so that nothing is proposed or promoted, else 0",
    ),
    MetricFamily(
        name="gatelatch_frozen_since_timestamp_seconds",
        type="gauge",
        unit="seconds",
        labels=_MODEL,
        says="When the model was frozen, in Unix time; absent if it is not",
    ),
    MetricFamily(
        name="gatelatch_champion_version",
        type="gauge",
        labels=_MODEL,
        says="Version that is champion; absent before the first",
    ),
    MetricFamily(
        name="gatelatch_window_end_timestamp_seconds",
        type="gauge",
        unit="seconds",
        labels=_MODEL,
        says="End of the newest observed window, in Unix time",
    ),
    MetricFamily(
        name="gatelatch_window_due_timestamp_seconds",
        type="gauge",
        unit="seconds",
        labels=_MODEL,
        says="When the run of the next window is due (its end and window.grace), in Unix time",
    ),
    MetricFamily(
        name="gatelatch_second_window_due_timestamp_seconds",
        type="gauge",
        unit="seconds",
        labels=_MODEL,
        says="When the run of the window after the next is due: later, two windows are missed",
    ),
    MetricFamily(
        name="gatelatch_window_rows",
        type="gauge",
        unit="rows",
        labels=(*_VERSION, "outcome"),
        most=len(OUTCOMES),
        says="Rows of the newest window by what became of them",
    ),
    MetricFamily(
        name="gatelatch_window_labelled_rows",
        type="gauge",
        unit="rows",
        labels=_VERSION,
        says="Accepted rows of the newest window that have a label",
    ),
    MetricFamily(
        name="gatelatch_window_verdict",
        type="gauge",
        labels=(*_VERSION, "verdict"),
        most=len(VERDICTS),
        says="1 for the verdict of the newest window, 0 for the others",
    ),
    MetricFamily(
        name="gatelatch_insufficient_windows_in_a_row",
        type="gauge",
        unit="windows",
        labels=_MODEL,
        says="Newest windows in a row of which nothing could be said",
    ),
    MetricFamily(
        name="gatelatch_labels_overdue_windows",
        type="gauge",
        unit="windows",
        labels=_MODEL,
        says="Newest windows in a row that are due to have labels and have none: `label.delay` has "
        "passed, or labels came with the rows before",
    ),
    MetricFamily(
        name="gatelatch_drift_pressure_ratio",
        type="gauge",
        unit="ratio",
        labels=(*_VERSION, "statistic"),
        most=len(STATISTICS),
        says="Change as a share of its limit, of the newest window that has statistics; of a "
        "statistic of each class the largest",
    ),
    *_loss("gatelatch_hinge_loss", "loss", "Mean hinge loss"),
    *_loss("gatelatch_violation_ratio", "ratio", "Share of labelled margins below 1"),
    *_loss("gatelatch_accuracy_ratio", "ratio", "Share of labelled rows that are decided right"),
    MetricFamily(
        name="gatelatch_slo_burn_rate",
        type="gauge",
        labels=(*_VERSION, "over"),
        most=len(PARTS_OF_SLO),
        says="Mean excess above the reference in error budgets, over the newest judged window, a "
        "sixth of the SLO window, and all of it; absent without labels",
    ),
    MetricFamily(
        name="gatelatch_slo_budget_spent_ratio",
        type="gauge",
        unit="ratio",
        labels=_VERSION,
        says="Share of the error budget that is spent",
    ),
    MetricFamily(
        name="gatelatch_slo_unseen_windows",
        type="gauge",
        unit="windows",
        labels=_VERSION,
        says="Newest windows that told nothing of the error budget, and so left it as it stood",
    ),
    MetricFamily(
        name="gatelatch_latch_state",
        type="gauge",
        labels=("model", "latch", "state"),
        most=len(LATCHES) * len(STATES),
        says="1 for the state of a latch, 0 for the others",
    ),
    MetricFamily(
        name="gatelatch_episode_info",
        type="info",
        labels=("model", "version", "latch", "episode", "feature"),
        most=len(LATCHES),
        says="An open episode, with the feature that moved the margins most in its first window, "
        "or none",
    ),
    MetricFamily(
        name="gatelatch_proposal_live",
        type="gauge",
        labels=_ASKED,
        most=len(PROPOSAL_KINDS) * (len(ASKED_STEPS) + 1),
        says="Proposals that are not ended, by the step that somebody is asked about, or none",
    ),
    MetricFamily(
        name="gatelatch_approval_waiting_since_timestamp_seconds",
        type="gauge",
        unit="seconds",
        labels=_ASKED,
        most=_ASKED_MOST,
        says="When the oldest question that waits was asked, in Unix time",
    ),
    MetricFamily(
        name="gatelatch_approval_deadline_timestamp_seconds",
        type="gauge",
        unit="seconds",
        labels=_ASKED,
        most=_ASKED_MOST,
        says="When the first question that waits counts as not answered, in Unix time",
    ),
    MetricFamily(
        name="gatelatch_proposal_end_due_timestamp_seconds",
        type="gauge",
        unit="seconds",
        labels=("model", "kind"),
        most=len(PROPOSAL_KINDS),
        says="When a run of the monitor is due that ends the first proposal whose time is up, in "
        "Unix time; absent while a candidate waits for windows",
    ),
    MetricFamily(
        name="gatelatch_latch_openings",
        type="gauge",
        labels=("model", "latch", "outcome"),
        most=len(LATCHES) * len(OPENING_ENDS),
        says="Openings of a latch in the year before the newest window's end: those that a "
        "promotion ended, that closed again without one, and that is still open",
    ),
    MetricFamily(
        name="gatelatch_latch_openings_allowed",
        type="gauge",
        labels=("model", "latch"),
        most=len(LATCHES),
        says="Openings of a latch in a year that the spec allows on a healthy model",
    ),
    MetricFamily(
        name="gatelatch_latch_openings_by_chance",
        type="gauge",
        labels=("model", "latch"),
        most=len(LATCHES),
        says="The most openings that a healthy model has in 19 of 20 years, if it has as many as "
        "are allowed on average",
    ),
    MetricFamily(
        name="gatelatch_notices_pending",
        type="gauge",
        labels=("model", "channel"),
        most=MOST_CHANNELS,
        says="Events that a channel was not told of yet, or not with success",
    ),
    MetricFamily(
        name="gatelatch_notices_failed",
        type="gauge",
        labels=("model", "channel"),
        most=MOST_CHANNELS,
        says="Events that a channel will not be told of, since all attempts failed",
    ),
    MetricFamily(
        name="gatelatch_promotions_total",
        type="counter",
        labels=_MODEL,
        says="Promotions and rollbacks of a model",
    ),
    MetricFamily(
        name="gatelatch_decisions_total",
        type="counter",
        labels=("model", "step", "answer"),
        most=len(DECISION_STEPS) * len(DECISION_ANSWERS),
        says="Decisions about a model's proposals, of people, gates and the policy",
    ),
)


# Looked at beside the scrapes, and known of models that cannot be read as well.
OF_CHECKS = (
    MetricFamily(
        name="gatelatch_chain_state",
        type="gauge",
        labels=("model", "state"),
        most=len(CHAIN_STATES),
        says="1 for what was found of the links and signatures of a model's ledger, 0 for the "
        "others; `unseen` if nobody could look",
    ),
    MetricFamily(
        name="gatelatch_champion_alias_state",
        type="gauge",
        labels=("model", "state"),
        most=len(ALIAS_STATES),
        says="1 for whether MLflow's alias `champion` stands at the ledger's champion (`same`), 0 "
        "for the others; `unseen` if MLflow was not asked or did not answer",
    ),
)

EVERY = (*OF_EXPORTER, *OF_MODELS, *OF_CHECKS)


def metric_table() -> str:
    """Return all metrics as the Markdown table of docs/metrics.md.

    It has no column of types and units: names tell both, and are so long that text beside them
    needs the room.
    """
    lines = [
        "| metric | what it says | labels | series at most |",
        "| --- | --- | --- | --- |",
    ]
    for one in EVERY:
        labels = ", ".join(one.labels) or "–"
        most = f"{one.most} a model" if one.of_models else str(one.most)
        cells = (f"`{one.name}`", one.says, labels, most)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, ""])
