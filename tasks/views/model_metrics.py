"""What stands now of one model, as samples of its metrics. Pure: nothing here looks at the clock.

Each part is a function from the model to samples. What is to be shown besides is a function more
in `PARTS`, with its families in `metric_catalogue.OF_MODELS`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import takewhile

from tasks.bounds import shifted
from tasks.drift.episode import Episode
from tasks.drift.latch import Latch
from tasks.drift.reference import losses_from_json
from tasks.ledger.budget import error_budget_of
from tasks.ledger.records import Observation, Proposal, TwoCandidates
from tasks.ledger.status import Status
from tasks.ledger.unlabelled import gap_of
from tasks.ledger.when_recorded import WhenRecorded
from tasks.notices.events import ModelFacts
from tasks.notices.untold import untold
from tasks.spec.model import ModelSpec
from tasks.spec.windows import window_at
from tasks.views.metric_family import (
    ASKED_STEPS,
    DECISION_ANSWERS,
    DECISION_STEPS,
    PARTS_OF_SLO,
    PROPOSAL_KINDS,
    STATES,
    STATISTICS,
    VERDICTS,
    WORKING,
    MetricSample,
    known,
)
from tasks.views.trust_metrics import alarm_samples, end_samples

NO_FEATURE = "none"


@dataclass(frozen=True, kw_only=True)
class SeenModel:
    """A model as it stands.

    `asked_at` says when each step of each proposal was first asked, `time_is_up` from when on the
    monitor ends a proposal. `recorded` is there if somebody is told of the model.
    """

    status: Status
    asked_at: Mapping[tuple[str, str], datetime]
    time_is_up: Mapping[str, datetime] = field(default_factory=dict)
    recorded: WhenRecorded | None = None

    @property
    def newest(self) -> Observation | None:
        windows = self.status.observations
        return windows[-1] if windows else None

    def newest_with(self, wanted: Callable[[Observation], bool]) -> Observation | None:
        """Return the champion's newest window of which that is true, if there is any."""
        mine = (o for o in reversed(self.status.observations) if o.verdict != "insufficient")
        own = takewhile(lambda o: o.version == self.status.champion, mine)
        return next((o for o in own if wanted(o)), None)


def model_samples(seen: SeenModel) -> list[MetricSample]:
    """Return all samples of a model."""
    return [sample for part in PARTS for sample in part(seen)]


def _identity(seen: SeenModel) -> Iterator[MetricSample]:
    yield MetricSample("gatelatch_model_info", (seen.status.spec.owner.name,), 1)
    freeze = seen.status.frozen
    yield MetricSample("gatelatch_frozen", (), float(freeze is not None))
    if freeze is not None:
        since = freeze.recorded_at.timestamp()
        yield MetricSample("gatelatch_frozen_since_timestamp_seconds", (), since)
    if seen.status.champion is not None:
        yield MetricSample("gatelatch_champion_version", (), seen.status.champion)


def _newest_window(seen: SeenModel) -> Iterator[MetricSample]:
    windows, newest = seen.status.observations, seen.newest
    unsaid = takewhile(lambda o: o.verdict == "insufficient", reversed(windows))
    yield MetricSample("gatelatch_insufficient_windows_in_a_row", (), sum(1 for _ in unsaid))
    gap = gap_of(seen.status)
    yield MetricSample("gatelatch_labels_overdue_windows", (), len(gap.windows) if gap else 0)
    for metric, due in zip(
        ("gatelatch_window_due_timestamp_seconds", "gatelatch_second_window_due_timestamp_seconds"),
        windows_due(seen.status),
        strict=False,
    ):
        yield MetricSample(metric, (), due.timestamp())
    if newest is None:
        return
    version = str(newest.version)
    end = newest.window_end.timestamp()
    yield MetricSample("gatelatch_window_end_timestamp_seconds", (), end)
    for verdict in VERDICTS:
        is_it = float(newest.verdict == verdict)
        yield MetricSample("gatelatch_window_verdict", (version, verdict), is_it)
    numbers = newest.numbers
    yield MetricSample("gatelatch_window_rows", (version, "accepted"), numbers.accepted)
    if numbers.quarantined is not None:
        yield MetricSample("gatelatch_window_rows", (version, "quarantined"), numbers.quarantined)
    if numbers.labelled is not None:
        yield MetricSample("gatelatch_window_labelled_rows", (version,), numbers.labelled)


def windows_due(status: Status) -> Iterator[datetime]:
    """Yield when the run of each next window starts, without end: at its end and `window.grace`.

    Nothing before the first champion, and nothing after the grid's own end.
    """
    grid = status.spec.window
    since = status.observed_until
    if since is None:
        if not status.promotions:
            return
        since = status.effective_from(status.promotions[0].effective_from)
    while True:
        window = window_at(grid, since)
        if grid.end is not None and window.end > grid.end:
            return
        yield shifted(window.end, grid.grace)
        since = window.end


def _pressures(seen: SeenModel) -> Iterator[MetricSample]:
    newest = seen.newest_with(lambda o: bool(o.figures.get("statistics")))
    if newest is None:
        return
    largest: dict[str, float] = {}
    for statistic in newest.numbers.statistics:
        name = known(statistic.name, STATISTICS)
        largest[name] = max(statistic.pressure, largest.get(name, 0.0))
    for name, pressure in largest.items():
        labels = (str(newest.version), name)
        yield MetricSample("gatelatch_drift_pressure_ratio", labels, pressure)


def _losses(seen: SeenModel) -> Iterator[MetricSample]:
    newest = seen.newest_with(lambda o: o.figures.get("hinge_loss") is not None)
    if newest is not None:
        numbers, labels = newest.numbers, (str(newest.version),)
        for metric, value in (
            ("gatelatch_hinge_loss", numbers.hinge_loss),
            ("gatelatch_violation_ratio", numbers.violation_rate),
            ("gatelatch_accuracy_ratio", numbers.accuracy),
        ):
            if value is not None:
                yield MetricSample(metric, labels, value)
    yield from _references(seen)


def _references(seen: SeenModel) -> Iterator[MetricSample]:
    try:
        champion = seen.status.candidate(seen.status.champion)
    except TwoCandidates:  # nobody can tell which, and whoever acts on it is told so
        return
    losses = None if champion is None else losses_from_json(champion.reference)
    if champion is None or losses is None:
        return
    for metric, value in (
        ("gatelatch_hinge_loss_reference", losses.hinge_loss),
        ("gatelatch_violation_ratio_reference", losses.violation_rate),
        ("gatelatch_accuracy_ratio_reference", 1 - losses.error_rate),
    ):
        yield MetricSample(metric, (str(champion.version),), value)


def _latches(seen: SeenModel) -> Iterator[MetricSample]:
    status = seen.status
    for name, latch in (("drift", status.history.now), ("calibration", status.calibration.now)):
        for state in STATES:
            is_it = float(latch.state == state)
            yield MetricSample("gatelatch_latch_state", (name, state), is_it)
        yield from _episode(status, name, latch)


def _episode(status: Status, name: str, latch: Latch) -> Iterator[MetricSample]:
    episode = Episode.parse(latch.episode)
    if latch.episode is None or episode is None:
        return
    # The first window's: were it the newest one's, the series would change with every window.
    first = [
        o
        for o in status.observations
        if (o.window_start, o.version) == (episode.since, episode.version)
    ]
    feature = moved_most(status.spec, first[0]) if first else NO_FEATURE
    labels = (str(episode.version), name, latch.episode, feature)
    yield MetricSample("gatelatch_episode_info", labels, 1)


def moved_most(spec: ModelSpec, seen: Observation) -> str:
    """Return the feature of the spec that moved a window's margins most; `none` if unknown."""
    moved = seen.numbers.moved
    features = dict(moved.features) if moved is not None else {}
    if not features:
        return NO_FEATURE
    most = max(features, key=lambda name: (abs(features[name]), name))
    # A column's name alone: that of an encoded one may hold a value of the data.
    return known(most, spec.features.columns)


def _proposals(seen: SeenModel) -> Iterator[MetricSample]:
    status = seen.status
    decided = {(d.proposal, d.step) for d in status.decisions}
    counts: Counter[tuple[str, str]] = Counter()
    since: dict[tuple[str, str], datetime] = {}
    for proposal in status.live:
        step, asked = _waits(proposal, seen.asked_at, decided)
        labels = (known(proposal.kind, PROPOSAL_KINDS), step)
        counts[labels] += 1
        if asked is not None:
            since[labels] = min(asked, since.get(labels, asked))
    for labels, count in counts.items():
        yield MetricSample("gatelatch_proposal_live", labels, count)
    for labels, asked in since.items():
        deadline = shifted(asked, status.spec.approval.timeout).timestamp()
        waiting = "gatelatch_approval_waiting_since_timestamp_seconds"
        yield MetricSample(waiting, labels, asked.timestamp())
        yield MetricSample("gatelatch_approval_deadline_timestamp_seconds", labels, deadline)


def _waits(
    proposal: Proposal,
    asked_at: Mapping[tuple[str, str], datetime],
    decided: set[tuple[str, str]],
) -> tuple[str, datetime | None]:
    """Return the step that a live proposal waits at, and since when; `none` if at no person."""
    waiting = {
        step: asked
        for (name, step), asked in asked_at.items()
        if name == proposal.proposal and (name, step) not in decided
    }
    if not waiting:
        return WORKING, None
    step = max(waiting, key=lambda one: (waiting[one], one))
    return known(step, ASKED_STEPS), waiting[step]


def _error_budget(seen: SeenModel) -> Iterator[MetricSample]:
    budget = error_budget_of(seen.status)
    now = None if budget is None else budget.now
    if now is None or not now.judged:
        return  # no labels, no budget: no series, so that nothing looks calm
    version = str(now.version)
    for over, burn in zip(PARTS_OF_SLO, (now.last, now.sixth, now.whole), strict=True):
        yield MetricSample("gatelatch_slo_burn_rate", (version, over), burn)
    yield MetricSample("gatelatch_slo_budget_spent_ratio", (version,), now.whole)
    yield MetricSample("gatelatch_slo_unseen_windows", (version,), now.unseen)


def _notices(seen: SeenModel) -> Iterator[MetricSample]:
    recorded = seen.recorded
    if recorded is None:
        return
    found = untold(ModelFacts(status=seen.status, recorded=recorded))
    for channel, one in found.items():
        yield MetricSample("gatelatch_notices_pending", (channel,), one.pending)
        yield MetricSample("gatelatch_notices_failed", (channel,), one.failed)


def _counters(seen: SeenModel) -> Iterator[MetricSample]:
    yield MetricSample("gatelatch_promotions_total", (), len(seen.status.promotions))
    counts = Counter(
        (known(d.step, DECISION_STEPS), known(d.answer, DECISION_ANSWERS))
        for d in seen.status.decisions
    )
    for labels, count in counts.items():
        yield MetricSample("gatelatch_decisions_total", labels, count)


PARTS: tuple[Callable[[SeenModel], Iterable[MetricSample]], ...] = (
    _identity,
    _newest_window,
    _pressures,
    _losses,
    _latches,
    _proposals,
    _error_budget,
    _notices,
    _counters,
    lambda seen: alarm_samples(seen.status),
    lambda seen: end_samples(seen.status, seen.time_is_up),
)
