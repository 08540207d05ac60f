"""Windows, an episode and its answer of a model that never comes here, by what the DAGs call."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.elsewhere.heads import LABEL, Head
from tasks.flows import asking, monitor, ready, retrain
from tasks.flows.handed_margins import keep_margins
from tasks.flows.measure import measure
from tasks.flows.owner_evidence import evidence_for_owner
from tasks.ledger import status
from tasks.ledger.ledger import Ledger
from tasks.ledger.records import Observation
from tasks.promotion import decisions, promotion, proposals
from tasks.promotion.proposal_reason import ProposalReason
from tasks.spec.model import ModelSpec
from tasks.spec.windows import Window

if TYPE_CHECKING:
    import pandas as pd

START = datetime(1996, 5, 7, tzinfo=UTC)
EVERY = timedelta(days=14)
FIRST, LAST = 12, 36  # windows: the first is scored after the fit of all before; where it ends
LEARNT = timedelta(days=56)  # before an episode asks; the newest 14 days of it judge
YES = {"chosen_options": ["Approve"], "responded_by_user": {"id": "ada", "name": "ada"}}


def spec_of(name: str) -> ModelSpec:
    """Return the spec: what production logs, and no feature."""
    return ModelSpec.model_validate(
        {
            "model": name,
            "owner": {"name": "market-desk", "approvers": ["ada"]},
            "source": {
                "path": "log/{date}.parquet",
                "time": "timestamp",
                "key": "timestamp",
                "margin": "margin",
                "version_column": "served_by",
            },
            "window": {"every": "14d", "start": START},
            "label": {"column": LABEL, "classes": [0, 1]},
            "drift": {"calibration": {"propose": False}},
            "latch": {"open": {"breaches": 2, "of": 3}, "rest": "28d"},
            "training": {"estimator": "margins_only", "window": "14d"},
        }
    )


@dataclass
class Play:
    """An owner with a way to train, and the rows of the market; `versions` are its heads."""

    spec: ModelSpec
    train: Callable[[pd.DataFrame], Head]
    rows: pd.DataFrame
    versions: dict[str, Head] = field(default_factory=dict)
    logged: list[pd.DataFrame] = field(default_factory=list)

    def windows(self) -> Iterator[Observation | str]:
        """Yield each window as it is judged, and a sentence where something is decided."""
        begin = START + FIRST * EVERY
        serving = self._new(START, begin)
        for number in range(FIRST, FIRST + 6):
            self._log(_window(number), serving)
        digest = keep_margins(self.spec, serving)
        self._accept("first", digest, _window(FIRST + 6).start, timedelta(days=84))
        yield f"{self.spec.model}: {serving} is champion"
        for number in range(FIRST + 6, LAST):
            window = _window(number)
            self._log(window, serving)
            validated = monitor.validate(self.spec, window)
            yield monitor.judge(self.spec, window, measure(self.spec, window, validated))
            due = status.read(self.spec, Ledger.open()).due
            if due is None:
                continue
            name, passed = self._answer(due)
            serving = name if passed else serving
            # Short, since the longest cell of a table leaves the others no room.
            yield f"{name} is handed in and {'promoted' if passed else 'refused'}"

    def _answer(self, due: str) -> tuple[str, bool]:
        """Approve a retrain, train as its owner does, and hand in the candidate's margins.

        Returns its name, and whether it is champion.
        """
        proposal = proposals.propose(
            self.spec,
            due,
            reason="drift",
            proposer="gatelatch",
            training_window=None,
            until=None,
            now=_now(),
            by_monitor=True,
        )
        asking.to_retrain(self.spec, proposal, "", ready.count(self.spec, proposal))
        decisions.decide(self.spec, due, "retrain", YES)
        with suppress(retrain.TrainedElsewhere):
            retrain.train(self.spec, due)
        evidence = evidence_for_owner(self.spec, due) or {}
        judged, until = (
            datetime.fromisoformat(evidence[end]) for end in ("rows_from", "rows_until")
        )
        name = self._new(until - LEARNT, judged)
        rows = self._of(judged, until)
        margins = rows[["timestamp"]].assign(margin=self.versions[name](rows))
        margins.to_parquet("margins.parquet")
        digest = keep_margins(self.spec, name, Path("margins.parquet"))
        return name, self._accept(name, digest, until)

    def _new(self, since: datetime, until: datetime) -> str:
        name = f"v{len(self.versions) + 1}-{until:%Y%m%d}"
        self.versions[name] = self.train(self._of(since, until))
        return name

    def _log(self, window: Window, name: str) -> None:
        """Write a window's rows as production logs them, a file a day."""
        rows = self._of(window.start, window.end)
        logged = rows[["timestamp", LABEL]].assign(margin=self.versions[name](rows), served_by=name)
        Path("log").mkdir(exist_ok=True)
        for day, part in logged.groupby(logged["timestamp"].dt.strftime("%Y-%m-%d")):
            part.to_parquet(f"log/{day}.parquet")
        self.logged.append(logged)

    def _of(self, since: datetime, until: datetime) -> pd.DataFrame:
        time = self.rows["timestamp"]
        return self.rows[(time >= since) & (time < until)]

    def _accept(
        self, proposal: str, digest: str, until: datetime, span: timedelta | None = None
    ) -> bool:
        """Take a candidate through what the DAG does; return whether its gates let it pass."""
        asked: Any = {"reason": str(ProposalReason(why="manual", file=digest)), "action": "adopt"}
        asked |= {"training_window": span, "until": until, "now": _now(), "proposer": "otto"}
        found = proposals.propose(self.spec, proposal, **asked)
        asking.to_retrain(self.spec, found, "", ready.count(self.spec, found))
        decisions.decide(self.spec, proposal, "retrain", YES)
        run = retrain.train(self.spec, proposal)["candidate_run"]
        retrain.calibrate(self.spec, proposal, run)
        if not retrain.gate(self.spec, proposal, run)["passed"]:
            return False
        retrain.register(self.spec, proposal, run)
        asking.to_promote(self.spec, proposal, "")
        decisions.decide(self.spec, proposal, "promote", YES)
        promotion.promote(self.spec, proposal)
        return True


def _window(number: int) -> Window:
    return Window(START + number * EVERY, START + (number + 1) * EVERY)


def _now() -> datetime:
    return datetime(1998, 12, 5, tzinfo=UTC)
