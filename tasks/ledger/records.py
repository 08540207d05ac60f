"""The ledger's rows as the rest reads and writes them, each named by its natural key. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from tasks.formats import undamaged
from tasks.spec.part import SpecError
from tasks.spec.windows import Window

if TYPE_CHECKING:
    from tasks.ledger.figures import WindowFigures

REFUSALS = ("rejected", "no_answer", "failed", "superseded", "withdrawn")
ENDED = ("ended", "invalid")  # nobody refused: its run died, or what was answered does not count
ENDS = REFUSALS + ENDED
PROPOSER = "gatelatch"  # who proposes for an episode
POLICY = "policy"  # who approves where the spec says `automatic`
FreezeState: TypeAlias = Literal["frozen", "thawed"]


@dataclass(frozen=True, slots=True)
class Held:
    """What was said of a window's probabilities, and how near they came to their limit."""

    verdict: str
    pressure: float | None


@dataclass(frozen=True, slots=True)
class LabelsSeen:
    """How many of a window's `rows` had a label, and whether its verdict rests on them, too."""

    rows: int
    labelled: int
    judged: bool


class LaterFigures(Mapping[str, Any]):
    """Figures that are read when they are looked at; `held` and `labels` are known before."""

    __slots__ = ("held", "labels")
    held: Held | None
    labels: LabelsSeen | None


@dataclass(frozen=True, kw_only=True)
class Observation:
    """One window judged under one model version.

    `figures` are as the ledger holds them, and may be read from there when they are looked at;
    `numbers` gives them their types.
    """

    model: str
    version: int
    window_start: datetime
    window_end: datetime
    spec_digest: str
    data_digest: str
    verdict: str
    reason: str
    pressure: float | None
    figures: Mapping[str, Any]
    revision: int = 0

    @property
    def window(self) -> Window:
        return Window(self.window_start, self.window_end)

    @property
    def numbers(self) -> WindowFigures:
        """Return the figures: counts, losses, statistics with their limits, what explains them."""
        from tasks.ledger.figures import WindowFigures  # arrays, which no DAG needs to be parsed

        with undamaged(f"figures of the window {self.window} of {self.model}"):
            return WindowFigures.from_json(self.figures)

    @property
    def held(self) -> Held | None:
        """Return what was said of the probabilities; None if nothing was."""
        if isinstance(self.figures, LaterFigures):
            return self.figures.held
        said = self.figures.get("calibration")
        return None if said is None else Held(said["verdict"], said["pressure"])

    @property
    def labels(self) -> LabelsSeen | None:
        """Return what is known of the labels; None if the window was not measured."""
        if isinstance(self.figures, LaterFigures):
            return self.figures.labels
        labelled, rows = self.figures.get("labelled"), self.figures.get("accepted", 0)
        if labelled is None:
            return None
        return LabelsSeen(rows, labelled, self.figures.get("losses") is not None)

    @property
    def scores_alone(self) -> bool:
        """Return whether it was judged without labels, and some of its rows have none."""
        seen = self.labels
        return seen is not None and not seen.judged and seen.labelled < seen.rows


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """The request to retrain or, to a `target`, to roll back. `champion`: whom it was made against.

    The rows between `trained_from` and `trained_until` are those that it rests on.
    """

    model: str
    proposal: str
    kind: str
    reason: str
    episode: str | None
    champion: int | None
    trained_from: datetime
    trained_until: datetime
    proposer: str
    spec_digest: str
    target: int | None = None


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What became of one step (`retrain`, `gates`, `promote`) of a proposal, on which evidence."""

    model: str
    proposal: str
    step: str
    answer: str
    by: str
    comment: str
    evidence: str
    effective_from: datetime


@dataclass(frozen=True, kw_only=True)
class Question:
    """Whom a step was put to, and on which evidence: Airflow user id and name of each."""

    model: str
    proposal: str
    step: str
    evidence: str
    asked: list[list[str]]


@dataclass(frozen=True, kw_only=True)
class Adoption:
    """A person's word for all rows up to the `position`-th, whose head was `head`.

    For rows from before signatures, or signed by a key that is trusted no more. `lost` are heads
    that somebody kept of rows that are not there any more, as after a backup was put back.
    """

    model: str
    position: int
    head: str
    by: str
    reason: str
    lost: list[str]


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A registered version with the gates it passed and its reference."""

    model: str
    proposal: str
    version: int
    run_id: str
    artifact_digest: str
    spec_digest: str
    data_digest: str
    trained_until: datetime
    metrics: Mapping[str, Any]
    gates: list[Mapping[str, Any]]
    reference: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Promotion:
    """The `number`-th move of a model's champion, from `expected` to `version`."""

    model: str
    number: int
    proposal: str
    version: int
    expected: int | None
    effective_from: datetime
    by: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Freeze:
    """The `number`-th time that a person stopped a model (`frozen`) or let it go on (`thawed`).

    `recorded_at` is the wall clock: what a person stops is no matter of event time.
    """

    model: str
    number: int
    state: FreezeState
    by: str
    reason: str
    recorded_at: datetime


@dataclass(frozen=True, kw_only=True)
class Notice:
    """The claim of one process to tell one channel of one event, written before it sends.

    `event` names what happened; `within` is the event in whose message it was told, if not in one
    of its own.
    """

    model: str
    event: str
    channel: str
    attempt: int
    severity: str
    message: str
    within: str | None = None


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """How the attempt to tell one channel of one event ended, written after it was sent."""

    model: str
    event: str
    channel: str
    attempt: int
    outcome: Literal["told", "failed"]
    detail: str


ExpiryKind: TypeAlias = Literal["figures", "quarantine", "summaries", "review"]


@dataclass(frozen=True, kw_only=True)
class Expiry:
    """The `number`-th time that something of a model was thinned or removed by a policy.

    Of windows that end at `until` or before (event time). `expired` holds of figures, by row id of
    the observation, the digest of the thinned row; of files their paths in the store, each with
    nothing.
    """

    model: str
    number: int
    kind: ExpiryKind
    until: datetime
    by: str
    policy: str
    expired: Mapping[str, str]


LookPurpose: TypeAlias = Literal["worst", "review"]


@dataclass(frozen=True, kw_only=True)
class RowLook:
    """The `number`-th time that rows of a model were shown to somebody: which, never what they say.

    `rows` of the window, `ranked` by what and scored by `version`, with these `columns` of the
    source, were `shown` on a terminal or written to the file that is named. The ledger numbers it.
    """

    model: str
    number: int = 0
    purpose: LookPurpose
    window_start: datetime
    window_end: datetime
    version: int
    data_digest: str
    by: str
    ranked: str
    rows: int
    columns: list[str]
    shown: str


def champion_at(promotions: list[Promotion], moment: datetime) -> Promotion | None:
    """Return the promotion in whose period the moment lies; None before the first."""
    past = [p for p in promotions if p.effective_from <= moment]
    return past[-1] if past else None


class NoSuchVersion(SpecError):
    """A version that the ledger does not know; the message names those that it knows."""


class TwoCandidates(SpecError):
    """A version that stands in the ledger for two candidates, none of which is to be guessed."""


def candidate_at(
    candidates: Sequence[Candidate], promotions: Sequence[Promotion], version: int
) -> Candidate | None:
    """Return the candidate that became a version; None if there is none.

    A version is made for one candidate. Where an older ledger names it for several, because MLflow
    was emptied in between and counted anew, it is the one that was promoted.

    Raises
    ------
    TwoCandidates
        If that does not tell which; names them.
    """
    found = [c for c in candidates if c.version == version]
    promoted = {p.proposal for p in promotions}
    reigned = [c for c in found if c.proposal in promoted]
    if len(found) > 1 and len(reigned) != 1:
        raise TwoCandidates(
            f"{found[0].model}: version {version} stands for {len(found)} candidates in the ledger "
            f"({', '.join(c.proposal for c in found)}), and nothing is done with either; go back "
            f"to another version (DAG rollback.{found[0].model}), or retrain"
        )
    return next(iter(reigned or found), None)
