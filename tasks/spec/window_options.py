"""The grid of windows in event time."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Self
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator, model_validator

from tasks import bounds
from tasks.spec.part import Count, Duration, Length, SpecPart, time_zone


class WindowGrid(SpecPart):
    every: Length = Field(description="length of a window")
    start: datetime = Field(
        description="start of the first window, from which all others are counted"
    )
    end: datetime | None = Field(default=None, description="no window reaches beyond this time")
    timezone: str = Field(default="UTC", description="zone in which days begin")
    grace: Duration = Field(
        default=timedelta(0), description="time from a window's end until it is measured"
    )
    catchup: bool = Field(
        default=False, description="run every window since `start`, not only from now on"
    )
    min_rows: Count = Field(default=200, description="a window with fewer rows is `insufficient`")

    @field_validator("start", "end", mode="before")
    @classmethod
    def _day_is_midnight(cls, value: object) -> object:
        if isinstance(value, int | float):  # pydantic would take 20260101 for seconds since 1970
            raise ValueError("write a date, such as 2026-01-31")
        if isinstance(value, date) and not isinstance(value, datetime):
            return datetime(value.year, value.month, value.day)
        if isinstance(value, str):
            bounds.moment(value)
        return value

    @field_validator("start", "end")
    @classmethod
    def _within_the_calendar(cls, value: datetime | None) -> datetime | None:
        if value is not None:
            bounds.moment(value)
        return value

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        return time_zone(value)

    @model_validator(mode="after")
    def _in_zone(self) -> Self:
        zone = ZoneInfo(self.timezone)
        for name in ("start", "end"):
            value = getattr(self, name)
            if value is not None:
                local = value if value.tzinfo else value.replace(tzinfo=zone)
                object.__setattr__(self, name, local.astimezone(UTC))
        if self.end is not None and self.end <= self.start:
            raise ValueError(
                f"`end` {self.end} is not after `start` {self.start}; move one of them"
            )
        return self
