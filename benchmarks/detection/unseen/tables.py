"""The figures of the unseen streams as tables."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from statistics import fmean

from benchmarks.detection.tables import Sheet
from benchmarks.detection.unseen.measure import OURS, Result
from benchmarks.detection.unseen.streams import STREAMS


def ours(found: Sequence[Result]) -> Sheet:
    """Return what the project's policy did, a row for each stream."""
    rows = []
    for name, some in groupby(found, key=lambda result: result.stream):
        mine = [result.outcomes[OURS] for result in some]
        stream = STREAMS[name]
        played = [one for one in mine if not one.problem]
        if not played:
            rows.append((name, stream.kind, *[""] * 9, mine[0].problem))
            continue
        counts = (
            (len(one.retrains), one.vain, one.refused, one.untrained, one.blind) for one in played
        )
        rows.append(
            (
                name,
                stream.kind,
                spread([one.accuracy for one in played]),
                f"{fmean(one.balanced for one in played):.3f}",
                f"{fmean(one.never for one in played):.3f}",
                *(f"{fmean(some):.2g}" for some in zip(*counts, strict=True)),
                "; ".join(" ".join(map(str, one.retrains)) or "–" for one in played),
                "",
            )
        )
    header = (
        "stream",
        "kind",
        "accuracy",
        "balanced",
        "never",
        "retrains",
        "in vain",
        "refused",
        "untrained",
        "blind",
        "ruled from",
        "not played",
    )
    return Sheet(
        "Gatelatch on unseen streams: mean (least … most of the seeds)", header, tuple(rows)
    )


def spread(values: Sequence[float]) -> str:
    """Return the mean, and the least and the most where they differ."""
    mean, least, most = (f"{v:.3f}" for v in (fmean(values), min(values), max(values)))
    return mean if least == most else f"{mean} ({least} … {most})"
