"""Labels that stop coming: the newest windows that should have some, and have none. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from tasks.bounds import shifted
from tasks.spec.model import ModelSpec
from tasks.spec.windows import Window, awaits_labels

IN_A_ROW = 2  # windows without any label, until somebody is told


@dataclass(frozen=True, kw_only=True)
class LabelGap:
    """The newest windows in a row that are due to have labels and have none, oldest first.

    The labels of the first `lost` of them are not awaited any more.
    """

    windows: tuple[Window, ...]
    lost: int

    @property
    def told(self) -> bool:
        """Return whether people are told: labels of two windows in a row will not come."""
        return self.lost >= IN_A_ROW

    @property
    def sentence(self) -> str:
        """Return for people what is missing, and what that means."""
        count, since = len(self.windows), f"{self.windows[0].start:%Y-%m-%d %H:%M}"
        windows = "one window has" if count == 1 else f"{count} windows in a row have"
        given_up = f"; of {self.lost} none is awaited any more" if self.lost else ""
        return (
            f"labels are overdue: {windows} none, since {since}{given_up}; only scores count now, "
            "and they do not show that a rule has changed"
        )


def label_gap(
    spec: ModelSpec, newest_first: Iterable[tuple[Window, int | None]], until: datetime
) -> LabelGap | None:
    """Return the gap that goes on; None if there is none.

    Labels are due once `label.delay` has passed and a later window was observed, whose run has
    looked for them. Where they come with the rows, they are due if any came before.

    Parameters
    ----------
    newest_first
        Each observed window with its labelled rows; None if it has no row that could have a label.
        It is read up to the first that has labels.
    until
        The event time up to which windows were observed.
    """
    delay, late = spec.label.delay, spec.label.late
    bare: list[Window] = []
    came = False
    for window, labelled in newest_first:
        if labelled is None or (late and shifted(window.end, delay) >= until):
            continue
        if labelled:
            came = True
            break
        bare.append(window)
    if not bare or not (came or late):
        return None
    lost = sum(not awaits_labels(spec, window, until) for window in bare)
    return LabelGap(windows=tuple(reversed(bare)), lost=lost)
