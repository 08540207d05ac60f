"""Lands the electricity data as a production system would: one Parquet file a day."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def land_electricity(folder: Path) -> int:
    """Write `data/electricity.parquet` as `date=YYYY-MM-DD/part-0.parquet`; return the days."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    table = pq.read_table(ROOT / "data" / "electricity.parquet")
    days = pc.strftime(table.column("timestamp"), format="%Y-%m-%d")
    # Rows are in time order, so each day is one slice.
    starts = pc.run_end_encode(days.combine_chunks()).run_ends.to_pylist()
    first = 0
    for end in starts:
        day = days[first].as_py()
        target = folder / f"date={day}" / "part-0.parquet"
        target.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table.slice(first, end - first), target)
        first = end
    return len(starts)
