"""The store: there, writable, and the one that the flows write to; what was left half-written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import fsspec

from tasks import scratch, store
from tasks.disk import Unusable
from tasks.doctor.finding import Finding
from tasks.doctor.patient import Patient

_SHOWN = 3  # leftovers by name


def look_at_store(patient: Patient) -> Iterator[Finding]:
    """Yield why nothing can be kept in the store, if nothing can."""
    root = store.url("")
    fs, name = fsspec.core.url_to_fs(root)
    if "file" in fs.protocol and not Path(name).exists():
        yield Finding(
            state="warning",
            finding=f"there is no store at {root} (GATELATCH_STORE)",
            remedy="mount it, or mend GATELATCH_STORE; of a new stack the first run makes it",
        )
        return
    try:
        store.probe()
    except Unusable as error:
        remedy = "let GATELATCH_STORE name a folder or bucket that this process may write to"
        if "s3" in fs.protocol:
            remedy += (
                "; see that its server answers, and that AWS_SHARED_CREDENTIALS_FILE has the "
                "profile of GATELATCH_STORE_PROFILE, with a key that may write there"
            )
        yield Finding(
            state="ill",
            finding=str(error),
            remedy=remedy,
            bars=True,
        )


def look_at_same_store(patient: Patient) -> Iterator[Finding]:
    """Yield of which models the store does not have what the flows keep there."""
    from tasks.audit import heads

    for known in patient.standing():
        model = known.spec.model
        head = patient.reader.head(model)
        signed = head is not None and head[1] is not None
        kept = known.observations or known.promotions  # with each of both a head is kept
        if signed and kept and heads.in_store(model) is None:
            yield Finding(
                state="ill",
                finding=f"the ledger's head is not in the store {store.url('')}: another store "
                "than the one that the flows write to",
                remedy="let GATELATCH_STORE name what the workers have, or restore the store",
                model=model,
            )


def look_at_leftovers(patient: Patient) -> Iterator[Finding]:
    """Yield what killed processes left half-written in the store and in the temporary folder."""
    for what, found in (
        ("files half-written in the store", list(store.half_written())),
        ("temporary folders whose process was killed", list(scratch.abandoned_folders())),
    ):
        if found:
            more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
            yield Finding(
                state="warning",
                finding=f"{len(found)} {what}: {', '.join(map(str, found[:_SHOWN]))}{more}",
                remedy="remove them, or let the next run that writes there do it; look who killed "
                "a process (memory, a deploy)",
            )
