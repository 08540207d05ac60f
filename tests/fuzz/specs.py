"""A spec file."""

from __future__ import annotations

from pathlib import Path

from tasks.spec import spec_files
from tasks.spec.part import SpecError
from tests.fuzz.target import READ, Fault, Target, refused
from tests.support.mutated import ELECTRICITY, WHOLE


def spec_target(folder: Path) -> Target:
    """Return the loader of specs."""
    path = folder / "bad.yaml"

    def read(content: bytes) -> str:
        path.write_bytes(content)
        try:
            spec_files.load_spec(path)
        except SpecError as error:
            if "cannot be used (" in str(error):
                raise Fault(f"not foreseen: {error}") from error
            return refused(error)
        return READ

    seeds = [WHOLE.encode(), ELECTRICITY.replace("model: electricity", "model: bad").encode()]
    return Target(seeds=seeds, read=read, folder=folder)
