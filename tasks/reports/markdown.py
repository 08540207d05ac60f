"""Tables and bars in Markdown, and two versions' windows side by side. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tasks.ledger.records import Observation
from tasks.promotion.paired import Pair
from tasks.quoting import as_text

_BARS = "▁▂▃▄▅▆▇█"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table, figures to the right, unless one column says why."""
    figures = "why" not in head
    lines = [head, ["---", *["---:" if figures else "---"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def versions_table(pairs: Iterable[Pair]) -> str:
    """Return a table of two versions' windows: the old one's figure → the new one's."""
    head = ("window from", "accuracy", "hinge loss", "change of its limit", "verdict", "rows")
    rows = [
        (
            f"{pair.window.start:%Y-%m-%d %H:%M}".removesuffix(" 00:00"),
            _both(pair.old.numbers.accuracy, pair.new.numbers.accuracy),
            _both(pair.old.numbers.hinge_loss, pair.new.numbers.hinge_loss),
            f"{_size(pair.old)} → {_size(pair.new)}",
            f"{pair.old.verdict} → {pair.new.verdict}",
            f"{_rows(pair.old)} → {_rows(pair.new)}",
        )
        for pair in pairs
    ]
    return table(head, rows)


def _both(old: float | None, new: float | None) -> str:
    return " → ".join("–" if value is None else f"{value:.3f}" for value in (old, new))


def _rows(observation: Observation) -> str:
    return f"{observation.numbers.accepted:,}"


def _size(observation: Observation) -> str:
    return "–" if observation.pressure is None else f"{observation.pressure:.1f} ×"


def sparkline(pressures: Sequence[float | None]) -> str:
    """Return one character a window: ▅ and higher is above the limit, `·` is insufficient.

    Examples
    --------
    >>> sparkline([0.1, 0.5, None, 0.99, 1.01, 2.4])
    '▁▃·▄▅█'
    """
    top = len(_BARS) - 1
    return "".join(
        "·" if p is None else _BARS[min(int(p / 2 * len(_BARS)), top)] for p in pressures
    )


def bullets(head: str, warnings: Iterable[str]) -> list[str]:
    """Return the warnings on rows or on a candidate as a list; none if none."""
    lines = [f"- {as_text(line)}" for line in warnings]
    return ["\n".join([f"**{head}:**", "", *lines])] if lines else []
