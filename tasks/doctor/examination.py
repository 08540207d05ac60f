"""One check after the other, each bounded in time: what hangs or fails costs no other its look."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from threading import Thread

from tasks.doctor.finding import Finding, Health, without_secrets
from tasks.doctor.patient import Patient
from tasks.errors import GatelatchError
from tasks.redaction import secrets_of

LONGEST_LOOK = 60.0  # seconds; on a busy machine the import of MLflow may take half
_RANK: Sequence[Health] = ("well", "unseen", "warning", "ill")


@dataclass(frozen=True, kw_only=True)
class Checkup:
    """A check: `looks_at` says for people at what, and `look` yields what is not well there.

    If a check that it `needs` found that nothing can be looked at, it is not begun.
    """

    name: str
    looks_at: str
    look: Callable[[Patient], Iterator[Finding]]
    needs: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Examined:
    """What a check found; nothing: it is well.

    `hangs`: it is still at it. `barred_by` is the check that kept it from looking.
    """

    name: str
    findings: tuple[Finding, ...]
    hangs: bool = False
    barred_by: str | None = None

    @property
    def state(self) -> Health:
        """Return the worst state of what was found."""
        return max((f.state for f in self.findings), key=_RANK.index, default="well")

    @property
    def bars(self) -> bool:
        """Return whether what needs it cannot be looked at."""
        return any(f.bars for f in self.findings)


def examine(
    checkups: Sequence[Checkup],
    patient: Patient,
    seconds: float = LONGEST_LOOK,
    begin: Callable[[str], object] = lambda name: None,
) -> Iterator[Examined]:
    """Yield what each check finds, in order; `begin` is told of each before it looks."""
    secrets = secrets_of(patient.environment)
    barred: dict[str, str] = {}  # by check: the one that cannot be looked at
    for checkup in checkups:
        begin(checkup.name)
        cause = next((barred[name] for name in checkup.needs if name in barred), None)
        if cause is not None:
            barred[checkup.name] = cause
            told = f"not looked at, because of what the check `{cause}` found"
            waits = Finding(state="unseen", finding=told, remedy=f"mend that of `{cause}` first")
            yield Examined(name=checkup.name, findings=(waits,), barred_by=cause)
            continue
        found = _bounded(checkup, patient, seconds)
        cleaned = tuple(without_secrets(f, secrets) for f in found.findings)
        found = Examined(name=found.name, findings=cleaned, hangs=found.hangs)
        if found.bars:
            barred[checkup.name] = checkup.name
        yield found


def _bounded(checkup: Checkup, patient: Patient, seconds: float) -> Examined:
    found: list[Finding] = []

    def look() -> None:
        try:
            for finding in checkup.look(patient):
                found.append(finding)
        except Exception as error:
            found.append(_failed(checkup, error))

    # Not a pool: Python waits for a pool's threads when it ends, and one of them may hang.
    thread = Thread(target=look, name=f"doctor: {checkup.name}", daemon=True)
    thread.start()
    thread.join(seconds)
    alive, kept = thread.is_alive(), tuple(found)
    if not alive:
        return Examined(name=checkup.name, findings=kept)
    hangs = Finding(
        state="ill",
        finding=f"no end after {seconds:g} s: something that it looks at does not answer",
        remedy=f"mend what does not answer ({checkup.looks_at}), or give more --seconds",
        bars=True,
    )
    return Examined(name=checkup.name, findings=(*kept, hangs), hangs=True)


def _failed(checkup: Checkup, error: Exception) -> Finding:
    """Return what is said of a check that failed; the text of another's error may hold anything."""
    ours = isinstance(error, GatelatchError)
    return Finding(
        state="ill",
        finding=str(error) if ours else f"it cannot be looked at ({type(error).__name__})",
        remedy=f"mend what is looked at: {checkup.looks_at}",
        bars=True,
    )
