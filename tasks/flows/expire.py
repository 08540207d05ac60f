"""What a spec's retention policy takes away of a model, and what is held back from it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import cast, get_args

from tasks import store
from tasks.audit import heads, verification
from tasks.bounds import shifted
from tasks.ledger import expiring, status
from tasks.ledger.kept_fold import needed_since
from tasks.ledger.ledger import Ledger
from tasks.ledger.reader import LedgerReader
from tasks.ledger.records import ExpiryKind
from tasks.ledger.status import Status
from tasks.ledger.thinning import EXPIRED
from tasks.spec.model import ModelSpec
from tasks.spec.part import format_duration

_KINDS: tuple[ExpiryKind, ...] = get_args(ExpiryKind)
COMMAND = "python -m tasks expire --all"
_START = "%Y%m%dT%H%M"  # of a window, as `Window.name` has it


@dataclass(frozen=True, kw_only=True)
class Expired:
    """What went of one kind: windows that end at `until` or before; `held`: the policy says more.

    `count` is of observations or of files. If not `allowed`, this process's role may not take it
    away, and nothing went.
    """

    kind: ExpiryKind
    until: datetime
    policy: str
    count: int
    held: bool
    allowed: bool = True


@dataclass(frozen=True, kw_only=True)
class Due:
    """That something of one kind is kept longer than the policy says: the oldest ended at `end`."""

    kind: ExpiryKind
    end: datetime


def expire(spec: ModelSpec, by: str, *, try_out: bool = False) -> list[Expired]:
    """Thin and remove what the spec's retention says, each with a row in the ledger first.

    Time is event time: that of the newest observed window. What decisions may still need is held
    back: see `held_since`.

    Parameters
    ----------
    try_out
        Only count: nothing is changed.

    Raises
    ------
    tasks.ledger.chain.LedgerRefused
        If the ledger is not as it was recorded: what is altered is not made to look thinned.
    """
    ledger = Ledger.open()
    verification.require(ledger, spec.model, whole=True)
    known = status.read(spec, ledger)
    found = []
    for kind, until, held in _wanted(known):
        policy = f"retention.{kind}: {format_duration(getattr(spec.retention, kind))}"
        allowed = try_out or kind != "figures" or ledger.may_thin()
        if not allowed:
            count = 0
        elif kind == "figures":
            count = _figures(ledger, spec, until, by, policy, try_out)
        else:
            count = _files(ledger, spec, kind, until, by, policy, try_out)
        found.append(
            Expired(kind=kind, until=until, policy=policy, count=count, held=held, allowed=allowed)
        )
    if not try_out:
        heads.keep(spec.model, ledger)
    return found


def due(known: Status, reader: LedgerReader, *, kept: timedelta = timedelta(0)) -> Iterator[Due]:
    """Yield of which kinds something is kept more than `kept` longer than the policy says.

    A window that was measured again after its figures expired is not noticed.
    """
    for kind, until, _ in _wanted(known):
        if kind == "figures":
            end = reader.unexpired(known.spec.model, shifted(until, -kept))
        else:
            ends = (end for _, end in _kept(known.spec, kind))
            end = min((end for end in ends if end <= shifted(until, -kept)), default=None)
        if end is not None:
            yield Due(kind=kind, end=end)


def _wanted(known: Status) -> Iterator[tuple[ExpiryKind, datetime, bool]]:
    """Yield each kind with a policy, up to when it goes, and whether the policy says more."""
    for kind in _KINDS:
        age, newest = getattr(known.spec.retention, kind), known.observed_until
        if age is not None and newest is not None:
            wanted, held = shifted(newest, -age), held_since(known)
            yield kind, min(wanted, held), held < wanted


def held_since(known: Status) -> datetime:
    """Return the event time from which on nothing expires, whatever the policy says.

    From then on are the newest 64 windows and those of the error budget, what an open episode and
    a live proposal rest on, windows that wait for labels, and those in which versions are compared:
    in shadow, beside the champion, or serving with it.
    """
    spec, seen = known.spec, known.observations
    found = [needed_since(known) or datetime.max.replace(tzinfo=UTC)]
    found += [p.trained_from for p in known.live]
    if known.promotions and (spec.source.version_column is not None or known.live):
        found.append(known.promotions[-1].effective_from)
    if spec.slo is not None and seen:
        found.append(seen[-spec.slo.windows(spec.window.every) :][0].window_start)
    return min(found)


def _figures(
    ledger: Ledger, spec: ModelSpec, until: datetime, by: str, policy: str, try_out: bool
) -> int:
    if try_out:
        past = (o for o in ledger.history(spec.model) if o.window_end <= until)
        return sum(EXPIRED not in o.figures for o in past)
    count = 0
    thin = partial(expiring.thin, model=spec.model, until=until, by=by, policy=policy)
    while made := ledger.alone(spec.model, thin):
        count += len(made.expired)
    return count


def _files(
    ledger: Ledger,
    spec: ModelSpec,
    kind: ExpiryKind,
    until: datetime,
    by: str,
    policy: str,
    try_out: bool,
) -> int:
    paths = [path for path, end in _kept(spec, kind) if end <= until]
    if paths and not try_out:
        # Recorded first: what a crash leaves behind is removed, and recorded again, by the next.
        said = partial(expiring.record_expiry, model=spec.model, kind=kind, until=until, by=by)
        gone = dict.fromkeys(paths, "")
        ledger.alone(spec.model, lambda link: said(link, policy=policy, expired=gone))
        for path in paths:
            store.remove(path)
    return len(paths)


def _kept(spec: ModelSpec, kind: ExpiryKind) -> Iterator[tuple[str, datetime]]:
    """Yield the model's files of a kind, each with the end of its window."""
    place = 3 if kind == "summaries" else 2  # of the window's name: summaries lie by version
    for path in store.files_below(f"{kind}/{spec.model}"):
        parts = path.split("/")
        if len(parts) <= place:
            continue
        with suppress(ValueError):  # a file that is none of ours stays
            start = datetime.strptime(parts[place].split("-")[0], _START).replace(tzinfo=UTC)
            yield path, shifted(start, spec.window.every)


def described(one: Expired, *, try_out: bool) -> str:
    """Return a sentence on what went."""
    if not one.allowed:
        return (
            f"figures up to {one.until:%Y-%m-%d} are kept ({one.policy}): this process's role may "
            f"not thin them; let the role that owns the ledger's tables run `{COMMAND}`"
        )
    what = "windows' figures" if one.kind == "figures" else f"files of {cast(str, one.kind)}"
    verb = "thinned" if one.kind == "figures" else "removed"
    would = "would be " if try_out else ""
    held = "; the rest is held back, as decisions may still need it" if one.held else ""
    return f"{one.count:,} {what} up to {one.until:%Y-%m-%d} {would}{verb} ({one.policy}){held}"
