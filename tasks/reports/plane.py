"""Where figures lie in a picture: the frame that every inline SVG chart shares. Pure.

A chart brings neither script nor style, font or address; the page that holds it gives the colours.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup, escape

WIDTH = 460
LEFT, RIGHT, TOP, BOTTOM = 60, 10, 10, 42  # pixels around what is drawn


@dataclass(frozen=True, kw_only=True)
class Plane:
    """Figures → pixels, with grid lines and the names of both axes.

    `across` and `up` are the least and the greatest figure of each axis.
    """

    across: tuple[float, float]
    up: tuple[float, float]
    height: int = 240
    top: int = TOP
    bottom: int = BOTTOM

    @property
    def floor(self) -> int:
        """Return the pixel of the lowest figure."""
        return self.height - self.bottom

    def x(self, value: float) -> float:
        low, high = self.across
        return LEFT + (value - low) / (high - low) * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        low, high = self.up
        return self.floor - (value - low) / (high - low) * (self.floor - self.top)

    def points(self, pairs: Iterable[tuple[float, float]]) -> str:
        return " ".join(f"{self.x(a):.1f},{self.y(b):.1f}" for a, b in pairs)

    def axes(self, x_name: str, y_name: str) -> str:
        """Return both axes with round figures."""
        names = [(value, f"{value:g}") for value in round_ticks(*self.across)]
        middle, aside = (LEFT + WIDTH - RIGHT) / 2, self.floor / 2
        return (
            f"{self.rungs()}{self.foot(names)}"
            f'<text x="{middle}" y="{self.height - 5}" text-anchor="middle">{escape(x_name)}</text>'
            f'<text x="11" y="{aside}" text-anchor="middle" transform="rotate(-90 11 {aside})">'
            f"{escape(y_name)}</text>"
        )

    def rungs(self) -> str:
        """Return the grid lines of the upward axis with their figures."""
        parts = []
        for value in round_ticks(*self.up):
            at = self.y(value)
            parts.append(
                f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at:.1f}" '
                f'y2="{at:.1f}"/><text x="{LEFT - 5}" y="{at + 4:.1f}" text-anchor="end">'
                f"{value:g}</text>"
            )
        return "".join(parts)

    def foot(self, names: Iterable[tuple[float, str]]) -> str:
        """Return names below the picture, each at its figure."""
        return "".join(
            f'<text x="{self.x(at):.1f}" y="{self.floor + 15}" text-anchor="middle">'
            f"{escape(name)}</text>"
            for at, name in names
        )

    def upright(self, at: float, said: str) -> str:
        """Return a dashed line from top to bottom that says what it is."""
        x = self.x(at)
        return (
            f'<line class="mark" x1="{x:.1f}" x2="{x:.1f}" y1="{self.top}" y2="{self.floor}">'
            f"<title>{escape(said)}</title></line>"
        )

    def svg(self, title: str, parts: Sequence[str]) -> Markup:
        """Return the picture; the title is what a screen reader says."""
        return Markup(
            f'<svg class="chart" viewBox="0 0 {WIDTH} {self.height}" role="img" '
            f'aria-label="{escape(title)}">{"".join(parts)}</svg>'
        )


def round_ticks(low: float, high: float) -> list[float]:
    """Return about five round figures from low to high."""
    rough = (high - low) / 5
    size = 10 ** np.floor(np.log10(rough))
    step = next(size * m for m in (1, 2, 5, 10) if size * m >= rough)
    first, last = np.ceil(low / step), np.floor(high / step)
    return [round(float(k * step), 10) + 0.0 for k in np.arange(first, last + 1)]
