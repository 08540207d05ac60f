"""What happened in a period, in sentences: the first thing that a report says. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from tasks.drift.catalogue import HINGE_LOSS
from tasks.drift.latch import Latch
from tasks.ledger.budget import Budget
from tasks.ledger.freezes import freeze_told
from tasks.ledger.records import Observation
from tasks.ledger.status import Status
from tasks.reports.as_read import ago, how_many, minute
from tasks.reports.report_cases import Answer, Case
from tasks.reports.statistic_rows import leading
from tasks.reports.unseen_windows import BLANK_KINDS, Blank


def summary_of(
    known: Status,
    seen: Sequence[Observation],
    cases: Sequence[Case],
    found: Sequence[Blank],
    budget: Budget | None,
) -> list[str]:
    """Return the sentences.

    Parameters
    ----------
    seen, cases, found
        The windows of the period, its proposals, and what is not known of its windows.
    budget
        The error budget at its end; None if the spec has none.
    """
    if not known.promotions:
        first = [
            "There is no champion, so no window is measured. Trigger the DAG "
            f"retrain.{known.spec.model} with reason 'bootstrap' to train the first one."
        ]
    elif not seen:
        first = [_nothing(known)]
    else:
        first = [
            *_windows(seen),
            _champions(seen),
            *_next_champion(seen, cases),
            *_latch(known, seen),
            *_pressure(seen),
            *_loss(seen),
            *([] if budget is None else [f"{_capital(budget.sentence)}."]),
        ]
    return [*first, *_frozen(known), *_cases(cases), *_blanks(found)]


def _nothing(known: Status) -> str:
    there = known.observations
    if not there:
        return "No window was ever measured."
    return (
        f"No window of this period was measured. The ledger has {len(there):,}, from "
        f"{minute(there[0].window_start)} until {minute(there[-1].window_end)}."
    )


def _frozen(known: Status) -> Iterator[str]:
    """Yield that the model is frozen when the report is written, whatever its period."""
    if known.frozen is not None:
        yield f"Now: {freeze_told(known.frozen)}."


def _windows(seen: Sequence[Observation]) -> Iterator[str]:
    counts = Counter(o.verdict for o in seen)
    told = ", ".join(f"{count:,} {verdict}" for verdict, count in counts.most_common())
    were = "was" if len(seen) == 1 else "were"
    yield (
        f"{how_many(len(seen), 'window')} {were} measured, from {minute(seen[0].window_start)} "
        f"until {minute(seen[-1].window_end)}: {told}."
    )


def _champions(seen: Sequence[Observation]) -> str:
    reigns = [(version, next(of)) for version, of in groupby(seen, lambda o: o.version)]
    (first, _), *later = reigns
    if not later:
        return f"Version {first} was champion of every window here."
    told = _listed(f"version {v} from {minute(o.window_start)} on" for v, o in later)
    return f"Version {first} was champion at first, then {told}."


def _next_champion(seen: Sequence[Observation], cases: Sequence[Case]) -> Iterator[str]:
    """Yield what became champion at the end of the windows, of which there is none under it yet."""
    moved = [c.promotion for c in cases if c.promotion is not None]
    if moved and moved[-1].effective_from >= seen[-1].window_end:
        yield (
            f"Version {moved[-1].version} is champion for windows from "
            f"{minute(moved[-1].effective_from)} on."
        )


def _latch(known: Status, seen: Sequence[Observation]) -> Iterator[str]:
    for name, history in (("latch", known.history), ("calibration latch", known.calibration)):
        steps = [
            latch
            for reading, latch in history.steps
            if seen[0].window_start <= reading.window.start <= seen[-1].window_start
        ]
        states = {latch.state for latch in steps}
        if not steps or (name != "latch" and states == {"closed"}):
            continue
        yield _states(name, steps)


def _states(name: str, steps: Sequence[Latch]) -> str:
    episodes = list(dict.fromkeys(s.episode for s in steps if s.episode))
    ends = f"was {steps[0].state} after the first window and {steps[-1].state} after the last"
    if steps[0].state == steps[-1].state == "closed" and not episodes:
        return f"The {name} stayed closed."
    which = (
        f"{how_many(len(episodes), 'episode')}: {_listed(episodes)}" if episodes else "no episode"
    )
    return f"The {name} {ends}, with {which}."


def _pressure(seen: Sequence[Observation]) -> Iterator[str]:
    judged = [(o.pressure, o) for o in seen if o.pressure is not None]
    if not judged:
        yield "No window could be judged, so there is no pressure."
        return
    most, one = max(judged, key=lambda pair: pair[0])
    by = leading(one)
    yield (
        f"The pressure was highest in the window from {minute(one.window_start)}: {most:.2f} times "
        f"its limit{f', by {by}' if by else ''}."
    )


def _loss(seen: Sequence[Observation]) -> Iterator[str]:
    labelled = [o for o in seen if o.figures.get("hinge_loss") is not None]
    if not labelled:
        yield "No window has labels, so losses and accuracy are not known."
        return
    first, last = labelled[0], labelled[-1]
    if first is last:
        yield (
            f"The hinge loss is known of one window, from {minute(first.window_start)}: "
            f"{first.numbers.hinge_loss:.3f}{_accepted(first)}."
        )
        return
    yield (
        f"The hinge loss was {first.numbers.hinge_loss:.3f} in the first labelled window"
        f"{_accepted(first)} and {last.numbers.hinge_loss:.3f} in the last{_accepted(last)}."
    )


def _accepted(seen: Observation) -> str:
    found = (s.reference for s in seen.numbers.statistics if s.name == HINGE_LOSS.name)
    reference = next(found, None)
    if reference is None:
        return ""
    return f" (version {seen.version} was accepted with {reference:.3f})"


def _cases(cases: Sequence[Case]) -> Iterator[str]:
    if not cases:
        yield "Nothing was proposed or decided."
        return
    outcomes = Counter(c.outcome for c in cases)
    told = ", ".join(f"{count} {outcome}" for outcome, count in outcomes.most_common())
    fall = "falls" if len(cases) == 1 else "fall"
    yield f"{how_many(len(cases), 'proposal')} {fall} into it: {told}."
    put = [a for c in cases for a in c.answers if a.asked is not None]
    if put:
        yield _asked(put)


def _asked(put: Sequence[Answer]) -> str:
    people = _listed(dict.fromkeys(name for a in put for name in a.people)) or "nobody"
    were = "was" if len(put) == 1 else "were"
    told = f"{how_many(len(put), 'question')} {were} put to {people}"
    waits = [a.waited for a in put if a.waited is not None]
    if waits:
        told += f"; the longest wait for an answer was {ago(max(waits))}"
    silent = sum(a.decision is None for a in put)
    if silent:
        told += f"; {silent} {'is' if silent == 1 else 'are'} not answered yet"
    return f"{told}."


def _blanks(found: Iterable[Blank]) -> Iterator[str]:
    counts: Counter[str] = Counter()
    for one in found:
        counts[one.kind] += one.windows
    told = [f"{counts[kind]:,} {kind}" for kind in BLANK_KINDS if counts[kind]]
    if told:
        yield f"Windows that nobody saw whole, or in time: {', '.join(told)}."


def _listed(names: Iterable[str]) -> str:
    *most, last = [*names] or [""]
    return f"{', '.join(most)} and {last}" if most else last


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
