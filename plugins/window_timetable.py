"""The timetable of the monitor: one run per window of the spec's grid, at its end plus grace."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.plugins_manager import AirflowPlugin
from airflow.timetables.base import DagRunInfo, DataInterval, TimeRestriction
from airflow.timetables.interval import DeltaDataIntervalTimetable
from pendulum import DateTime, instance

from tasks.spec.window_options import WindowGrid
from tasks.spec.windows import Window, latest_complete, window_at

_INSTANT = timedelta(microseconds=1)


class WindowTimetable(DeltaDataIntervalTimetable):
    """Airflow's own data-interval timetable, but anchored on the grid and its time zone."""

    def __init__(self, grid: WindowGrid) -> None:
        super().__init__(grid.every)
        self._grid = grid

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> WindowTimetable:
        return cls(WindowGrid.model_validate(data))

    def serialize(self) -> dict[str, Any]:
        return self._grid.model_dump(mode="json")

    @property
    def summary(self) -> str:
        return f"every {self.serialize()['every']} from {self._grid.start:%Y-%m-%d}"

    def infer_manual_data_interval(self, run_after: DateTime) -> DataInterval:
        newest = latest_complete(self._grid, _plain(run_after))
        return DataInterval(start=instance(newest.start), end=instance(newest.end))

    def next_dagrun_info(
        self,
        *,
        last_automated_data_interval: DataInterval | None,
        restriction: TimeRestriction,
    ) -> DagRunInfo | None:
        info = super().next_dagrun_info(
            last_automated_data_interval=last_automated_data_interval, restriction=restriction
        )
        if info is None or info.data_interval is None:
            return None
        if self._grid.end and info.data_interval.end > self._grid.end:
            return None
        return DagRunInfo(
            run_after=info.run_after + self._grid.grace, data_interval=info.data_interval
        )

    def _get_next(self, current: DateTime) -> DateTime:
        return instance(self._window(current).end)

    def _get_prev(self, current: DateTime) -> DateTime:
        return instance(self._window(current - _INSTANT).start)

    def _align_to_next(self, current: DateTime) -> DateTime:
        return self._get_next(current - _INSTANT)

    def _align_to_prev(self, current: DateTime) -> DateTime:
        return instance(self._window(current).start)

    def _skip_to_latest(self, earliest: DateTime | None) -> DateTime:
        # By the clock alone: a grid that has ended is not scheduled any more.
        endless = self._grid.model_copy(update={"end": None})
        start = instance(latest_complete(endless, datetime.now(UTC)).start)
        return start if earliest is None else max(start, self._align_to_next(earliest))

    def _window(self, moment: DateTime) -> Window:
        return window_at(self._grid, _plain(moment))


def _plain(moment: DateTime) -> datetime:
    # Pendulum's own arithmetic does not mix with the standard library's.
    return datetime.fromtimestamp(moment.timestamp(), UTC)


class WindowTimetablePlugin(AirflowPlugin):
    name = "gatelatch_window_timetable"
    timetables = [WindowTimetable]
