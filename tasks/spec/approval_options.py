"""Who answers for a model, and who decides what."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Literal

from pydantic import Field, field_validator

from tasks.spec.part import Length, SpecPart, Text


class Owner(SpecPart):
    name: Text = Field(description="who answers for the model; shown in every brief")
    approvers: tuple[Text, ...] = Field(
        default=(),
        description="Airflow user names that may answer; `id:name` where the id differs (FAB)",
    )

    @field_validator("approvers")
    @classmethod
    def _each_a_user(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for entry in value:
            # No comma: Airflow takes its users from a list `name:role,name:role`.
            if not re.fullmatch(r"[^,:]*[^,:\s](:[^,:]*[^,:\s])?", entry):
                raise ValueError(f"{entry!r}: write a user name, or `id:name`, without commas")
        return value

    @property
    def users(self) -> list[tuple[str, str]]:
        """Return (Airflow user id, name) of each approver."""
        pairs = (entry.partition(":") for entry in self.approvers)
        return [(identity, name or identity) for identity, _, name in pairs]


class Approval(SpecPart):
    retrain: Literal["human", "automatic"] = Field(
        default="human", description="who decides whether to retrain: `human` or `automatic`"
    )
    promote: Literal["human", "automatic"] = Field(
        default="human",
        description="who decides whether a gated candidate becomes champion: `human` or "
        "`automatic`",
    )

    rollback: Literal["human", "automatic"] = Field(
        default="human",
        description="who decides on a rollback that the monitor proposes: `human` or `automatic`",
    )

    @property
    def asks(self) -> bool:
        """Return whether a person decides on anything that makes a candidate champion."""
        return "human" in (self.retrain, self.promote)

    timeout: Length = Field(
        default=timedelta(days=3),
        description="wall-clock time to wait for an answer; after it `no_answer` is recorded",
    )
    proposer: Text | None = Field(
        default=None,
        description="Airflow user name of the person who counts as the proposer of an episode's "
        "proposals, such as the last committer of this spec, and so cannot approve them; left "
        "out: nobody",
    )
