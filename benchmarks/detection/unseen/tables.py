"""The figures of the unseen streams as tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean, median

from benchmarks.detection.tables import Sheet
from benchmarks.detection.unseen.figures import Outcome, Result, share
from benchmarks.detection.unseen.measure import NEVER, OURS, TRAILING
from benchmarks.detection.unseen.streams import STREAMS, Kind, Stream

POOR = 0.6  # of the trailing refit's gain: a stream below it is named
_DASH = "–"


@dataclass(frozen=True)
class Column:
    """One stream's results, a seed each."""

    stream: Stream
    results: tuple[Result, ...]

    def of(self, policy: str) -> list[Outcome]:
        """Return what a policy did, seed by seed."""
        return [result.outcomes[policy] for result in self.results]

    def shares(self, policy: str) -> tuple[float, float, float]:
        """Return the share of all seeds, the least and the most of one."""
        mine, never, most = (
            [getattr(one, self.stream.measure) for one in self.of(p)]
            for p in (policy, NEVER, TRAILING)
        )
        each = [share(*three) for three in zip(mine, never, most, strict=True)]
        return share(mine, never, most), min(each), max(each)

    def points(self, policy: str) -> list[float]:
        """Return what a policy adds to the accuracy of never, in points, seed by seed."""
        pairs = zip(self.of(policy), self.of(NEVER), strict=True)
        return [100 * (mine.accuracy - never.accuracy) for mine, never in pairs]

    def spread(self, policy: str) -> tuple[float, float, float]:
        """Return the mean of these points, the least and the most."""
        found = self.points(policy)
        return fmean(found), min(found), max(found)


class Board:
    """All results, by stream."""

    def __init__(self, found: Sequence[Result]) -> None:
        names = dict.fromkeys(result.stream for result in found)
        self.columns = [
            Column(STREAMS[name], tuple(r for r in found if r.stream == name)) for name in names
        ]
        self.policies = list(found[0].outcomes)

    def kind(self, kind: Kind) -> list[Column]:
        """Return the streams of a kind."""
        return [column for column in self.columns if column.stream.kind == kind]

    @property
    def measured(self) -> bool:
        """Return whether there is a trailing refit to compare with."""
        return TRAILING in self.policies


def sheets(board: Board) -> list[Sheet]:
    """Return the tables: a summary, then what each policy did, then the project's in detail."""
    tables = [summary(board), *shares(board), *controls(board), *real(board)]
    return [*tables, *([detail(board)] if OURS in board.policies else [])]


def summary(board: Board) -> Sheet:
    """Return a row for each policy."""
    gain, quiet, outages = (board.kind(kind) for kind in ("gain", "quiet", "outage"))
    trailing = _retrains(gain, TRAILING) if board.measured else 0
    rows = []
    for policy in board.policies:
        found = [c.shares(policy)[0] for c in gain] if board.measured else []
        poor = [c.stream.name for c, s in zip(gain, found, strict=False) if s < POOR]
        retrains = _retrains(gain, policy)
        of_all = f" ({retrains / trailing:.1%})" if trailing else ""
        rows.append(
            (
                policy,
                _mean([o.accuracy for c in gain for o in c.of(policy)]),
                f"{median(found):.2f}" if found else _DASH,
                f"{min(found):.2f}" if found else _DASH,
                f"{len(poor)} of {len(found)}" if found else _DASH,
                f"{retrains}{of_all}",
                *_against(quiet, policy),
                *_against(outages, policy),
            )
        )
    header = (
        "policy",
        "gain: accuracy",
        "median share",
        "least",
        f"below {POOR:g}",
        "retrains",
        "quiet: points",
        "retrains (in vain)",
        "outages: points",
        "retrains (in vain)",
    )
    counts = ", ".join(
        f"{sum(len(c.results) for c in some)} {name}"
        for some, name in ((gain, "with something to gain"), (quiet, "quiet"), (outages, "outages"))
    )
    return Sheet(f"All unseen streams and seeds: {counts}", header, tuple(rows))


def _against(some: list[Column], policy: str) -> tuple[str, str]:
    """Return the mean points against never with the worst seed's, and the retrains."""
    points = [p for column in some for p in column.points(policy)]
    vain = sum(one.vain for column in some for one in column.of(policy))
    if not points:
        return _DASH, _DASH
    return f"{fmean(points):+.2f} ({min(points):+.1f})", f"{_retrains(some, policy)} ({vain})"


def shares(board: Board) -> list[Sheet]:
    """Return the share of each policy on each stream with something to gain."""
    gain = board.kind("gain")
    if not gain or not board.measured:
        return []
    shown = [p for p in board.policies if p not in (NEVER, TRAILING)]
    rows = []
    for column in gain:
        measure = column.stream.measure
        ends = (_mean([getattr(o, measure) for o in column.of(p)]) for p in (NEVER, TRAILING))
        cells = (_share(column, policy) for policy in shown)
        rows.append((title(column), *ends, *cells))
    name = f"Share of the gain of '{TRAILING}' · retrains, means of the seeds (least … most)"
    return [Sheet(name, ("stream", NEVER, TRAILING, *shown), tuple(rows))]


def _share(column: Column, policy: str) -> str:
    mean, least, most = (f"{value:.2f}" for value in column.shares(policy))
    spread = f" ({least} … {most})" if policy == OURS and least != most else ""
    return f"{mean}{spread} · {_each(column, policy)}"


def _each(column: Column, policy: str) -> str:
    """Return the retrains of a seed."""
    return f"{fmean(len(one.retrains) for one in column.of(policy)):.2g}"


def title(column: Column) -> str:
    """Return a stream's name, with the measure if it is not the accuracy."""
    balanced = column.stream.measure == "balanced"
    return f"{column.stream.name}, balanced" if balanced else column.stream.name


def controls(board: Board) -> list[Sheet]:
    """Return what each policy did where there is nothing to gain."""
    some = [*board.kind("quiet"), *board.kind("outage")]
    if not some:
        return []
    shown = [p for p in board.policies if p != NEVER]
    rows = [
        (
            column.stream.name,
            _mean([o.accuracy for o in column.of(NEVER)]),
            *(f"{fmean(column.points(p)):+.2f} · {_each(column, p)}" for p in shown),
        )
        for column in some
    ]
    name = "Nothing to gain, and outages: points against never · retrains, means of the seeds"
    return [Sheet(name, ("stream", NEVER, *shown), tuple(rows))]


def real(board: Board) -> list[Sheet]:
    """Return what each policy did on the shipped data."""
    some = board.kind("real")
    if not some:
        return []
    rows = []
    for policy in board.policies:
        found = [column.of(policy)[0] for column in some]
        cells = [(f"{o.accuracy:.3f}", f"{o.balanced:.3f}", f"{len(o.retrains)}") for o in found]
        rows.append((policy, *(cell for part in cells for cell in part)))
    header = [h for c in some for h in (c.stream.name, "balanced", "retrains")]
    return [Sheet("The shipped data: accuracy", ("policy", *header), tuple(rows))]


def detail(board: Board) -> Sheet:
    """Return what the project's policy did, a row for each stream."""
    rows = []
    for column in board.columns:
        mine, stream = column.of(OURS), column.stream
        counts: list[Callable[[Outcome], float]] = [
            lambda one: len(one.retrains),
            lambda one: one.vain,
            lambda one: one.returned,
            lambda one: one.refused + one.untrained,
        ]
        measured = board.measured and stream.kind == "gain"
        rows.append(
            (
                stream.name,
                stream.what,
                _spread([one.accuracy for one in mine]),
                _mean([one.balanced for one in mine]),
                f"{column.shares(OURS)[0]:.2f}" if measured else _DASH,
                *(f"{fmean(map(count, mine)):.2g}" for count in counts),
                _delays(column),
                f"{fmean(one.blind for one in mine):.2g}",
                next((one.problem for one in mine if one.problem), ""),
            )
        )
    header = (
        "stream",
        "what changes",
        "accuracy",
        "balanced",
        "share",
        "retrains",
        "in vain",
        "gone back",
        "refused",
        "delay",
        "blind",
        "not played",
    )
    return Sheet(f"{OURS}, means of the seeds (least … most)", header, tuple(rows))


def _delays(column: Column) -> str:
    """Return the windows from the change to the first promotion after it, seed by seed."""
    change = column.stream.change
    if change is None:
        return _DASH
    found = [r.outcomes[OURS].delay(change - r.first) for r in column.results]
    return ", ".join(_DASH if delay is None else f"{delay}" for delay in found)


def _retrains(some: list[Column], policy: str) -> int:
    return sum(len(one.retrains) for column in some for one in column.of(policy))


def _mean(values: Sequence[float]) -> str:
    return f"{fmean(values):.3f}" if values else _DASH


def _spread(values: Sequence[float]) -> str:
    """Return the mean, and the least and the most where they differ."""
    mean, least, most = (f"{v:.3f}" for v in (fmean(values), min(values), max(values)))
    return mean if least == most else f"{mean} ({least} … {most})"
