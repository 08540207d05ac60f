"""The sentence that goes with a verdict: what is above its limit, what could not be seen. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from tasks.drift.class_losses import EXPECTED, Classes
from tasks.drift.statistic import Statistic
from tasks.drift.summary import Summary

_NAMED = 3  # classes that are named before they are counted


def above(breaching: Sequence[Statistic]) -> str:
    """Return which statistics are above their limit."""
    return f"above the limit: {', '.join(_titles(breaching))}"


def quiet(found: Sequence[Statistic], breaching: Sequence[Statistic]) -> str:
    """Return why a window is steady, as far as its statistics can tell."""
    said = f"{above(breaching)}; {_but(breaching)}" if breaching else "within its limits"
    blind = [s for s in found if s.blind]
    if not blind:
        return said
    sees = _and(_titles(s for s in found if not s.blind))
    so_far = f"the verdict rests on {sees}" if breaching else f"as far as {sees} can tell"
    return f"{said}{'; ' if breaching else ', '}{so_far}; blind: {', '.join(_blind(blind))}"


def _but(breaching: Sequence[Statistic]) -> str:
    names = {s.name for s in breaching}
    if "class_loss" in names:
        return "the other classes win what is lost there"
    return "the labelled loss does not confirm it"


def of_classes(classes: Classes) -> Iterator[str]:
    """Yield the classes that are not judged, and why."""
    if classes.absent:
        yield f"no label is {listed(classes.absent, 'or')}, of which nothing is said"
    if classes.new:
        yield f"new, with fewer than {EXPECTED} rows in the reference: {listed(classes.new)}"
    if classes.unjudged:
        yield f"with fewer than {EXPECTED} labels not judged alone: {listed(classes.unjudged)}"
    if classes.unknown:
        yield (
            "margins not judged, as the reference does not know their spread: "
            f"{listed(classes.unknown)}; a retrain's will"
        )


def unused(window: Summary, classes: Classes, least: int) -> Iterator[str]:
    """Yield why labels that are there are not used."""
    if not window.labelled:
        return
    told = f"{window.labelled:,} labels are not used: "
    if not window.losses.effective_rows:
        yield f"{told}their sample weights sum to zero"
        return
    here, there = (losses.effective_rows for losses in classes.together)
    yield (
        f"{told}of classes that both have they count as {here:.0f} rows, and the reference's as "
        f"{there:.0f}; window.min_rows = {least} are needed"
    )
    yield from of_classes(classes)


def _blind(statistics: Sequence[Statistic]) -> Iterator[str]:
    for title, members in _grouped(statistics):
        able = [s.limit for s in members if not s.unreachable]
        yield f"{title} (sees {f'{min(able):.2g} or more' if able else 'nothing'})"


def _titles(statistics: Iterable[Statistic]) -> list[str]:
    return [title for title, _ in _grouped(statistics)]


def _grouped(statistics: Iterable[Statistic]) -> Iterator[tuple[str, list[Statistic]]]:
    """Yield titles with their statistics: those of many classes together, by their number."""
    by_name: dict[str, list[Statistic]] = {}
    for s in statistics:
        by_name.setdefault(s.name, []).append(s)
    for name, members in by_name.items():
        if len(members) > _NAMED:
            yield f"{name} of {len(members)} classes", members
        else:
            yield from ((s.title, [s]) for s in members)


def listed(names: Sequence[str], last: str = "and") -> str:
    """Return the names as a sentence has them; of many, the first and how many more there are."""
    shown = list(names[:_NAMED])
    more = len(names) - len(shown)
    return _and([*shown, *([f"{more} more"] if more else [])], last)


def _and(parts: Sequence[str], last: str = "and") -> str:
    *most, end = parts
    return f"{', '.join(most)} {last} {end}" if most else end
