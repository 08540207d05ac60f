"""The specs of the models folder for a long-lived process: a file is read again when it changed."""

from __future__ import annotations

from pathlib import Path

from tasks.spec import spec_files
from tasks.spec.model import ModelSpec
from tasks.spec.part import SpecError

_Stamp = tuple[int, int, int, int]  # device, inode, size, time of change in nanoseconds


class FollowedSpecs:
    """What was read of each file, for as long as nobody touches it. Not for several threads."""

    def __init__(self) -> None:
        self._known: dict[Path, tuple[_Stamp, ModelSpec | SpecError]] = {}

    def load(self) -> tuple[list[ModelSpec], list[str]]:
        """Return what `spec_files.load_all` returns: the usable specs, and the others' mistakes."""
        paths, mistakes = spec_files.list_specs(spec_files.models_folder())
        known, self._known = self._known, {}
        found = [self._load(path, known) for path in paths]
        usable = [one for one in found if isinstance(one, ModelSpec)]
        return usable, [*mistakes, *(str(one) for one in found if isinstance(one, SpecError))]

    def _load(
        self, path: Path, known: dict[Path, tuple[_Stamp, ModelSpec | SpecError]]
    ) -> ModelSpec | SpecError:
        stamp = _stamp(path)
        before = known.get(path)
        if before is not None and before[0] == stamp:
            self._known[path] = before
            return before[1]
        found: ModelSpec | SpecError
        try:
            found = spec_files.load_spec(path)
        except SpecError as error:
            found = error
        if stamp is not None:
            self._known[path] = stamp, found
        return found


def _stamp(path: Path) -> _Stamp | None:
    try:
        found = path.stat()
    except OSError:  # reading says what is wrong, each time
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
