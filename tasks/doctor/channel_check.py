"""Channels that specs name: known to this process, and their addresses closed to others."""

from __future__ import annotations

import stat
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from tasks.doctor.finding import Finding
from tasks.doctor.patient import Patient
from tasks.notices import channels
from tasks.spec.model import ModelSpec


def look_at_channels(patient: Patient) -> Iterator[Finding]:
    """Yield which messages would reach nobody, and whether others may read the addresses."""
    try:
        found = channels.channels_of_file()
    except channels.ChannelsUnusable as error:
        yield Finding(
            state="ill",
            finding=str(error),
            remedy=f"put the file back, or let {channels.VARIABLE} name it",
        )
        return
    named = patient.environment.get(channels.VARIABLE)
    if found and named and (mode := stat.S_IMODE(Path(named).stat().st_mode)) & stat.S_IRWXO:
        yield Finding(
            state="ill",
            finding=f"the addresses of {named} are open to every user of this machine "
            f"(mode {mode:04o})",
            remedy=f"run chmod 640 {named}, and change the tokens if others may have read them",
        )
    yield from channel_findings(found, patient.specs)


def channel_findings(
    found: Collection[str] | None, specs: Iterable[ModelSpec]
) -> Iterator[Finding]:
    """Yield which channels of specs have no address. Pure. None: no file names any."""
    for spec in specs:
        if missing := [name for name in spec.notify if name not in (found or ())]:
            why = f"{channels.VARIABLE} names no file" if found is None else "the file lacks them"
            yield Finding(
                state="warning",
                finding=f"notify: {', '.join(missing)} are told nothing here: {why}",
                remedy=f"give each an address in the file that {channels.VARIABLE} names, and try "
                "it with `python -m tasks notify --test`",
                model=spec.model,
            )
