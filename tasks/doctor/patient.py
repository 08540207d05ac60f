"""What the checks look at: specs, ledger and states are read once, by the first that asks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Self

from tasks.errors import GatelatchError
from tasks.spec import spec_files
from tasks.spec.model import ModelSpec
from tasks.spec.part import SpecError

if TYPE_CHECKING:
    from tasks.ledger.reader import LedgerReader
    from tasks.ledger.status import Status


@dataclass(frozen=True)
class Patient:
    """A stack as this process sees it; a context that lets go of the ledger at its end.

    Parameters
    ----------
    model
        The one that is looked at; None: all.
    environment
        Variables of this process.
    clock
        Says what time it is here.
    """

    model: str | None
    environment: Mapping[str, str] = field(repr=False)
    clock: Callable[[], datetime]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if "reader" in vars(self):
            self.reader.close()

    @cached_property
    def read_specs(self) -> tuple[list[ModelSpec], list[str]]:
        """Return the usable specs, and what is wrong with the others and their folder."""
        if self.model is None:
            return spec_files.load_all()
        try:
            return [spec_files.find(self.model)], []
        except SpecError as error:
            return [], [str(error)]

    @property
    def specs(self) -> list[ModelSpec]:
        """Return the usable specs."""
        return self.read_specs[0]

    @cached_property
    def reader(self) -> LedgerReader:
        """Return the ledger, opened to be read only; raises as `open_to_read` does."""
        from tasks.ledger.reader import LedgerReader

        return LedgerReader.open_to_read()

    @cached_property
    def folded(self) -> dict[str, Status | GatelatchError]:
        """Return where each model stands, or why that cannot be read."""
        from tasks.ledger import status

        found: dict[str, Status | GatelatchError] = {}
        for spec in self.specs:
            try:
                found[spec.model] = status.read(spec, self.reader)
            except GatelatchError as error:
                found[spec.model] = error
        return found

    def standing(self) -> Iterator[Status]:
        """Yield where each model stands whose state can be read."""
        from tasks.ledger.status import Status

        yield from (known for known in self.folded.values() if isinstance(known, Status))
