"""The ledger as an auditor reads it: who did what, when, on which evidence, in order. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from typing import Any

from tasks.ledger.chain import Link, Row, Trail


@dataclass(frozen=True)
class Event:
    """One row of the ledger, or several observations in a row.

    `first` and `last` are positions in the chain; `recorded_at` is the wall clock of the last one,
    `event_time` the time of the data up to which, or from which on, it applies.
    """

    first: int
    last: int
    recorded_at: datetime
    event_time: datetime | None
    what: str
    by: str
    proposal: str = ""
    why: str = ""
    evidence: Mapping[str, str] = field(default_factory=dict)  # of what → digest


def events(trail: Trail, *, each_window: bool = False) -> list[Event]:
    """Return what happened, in the order of writing.

    Without `each_window`, observations that follow one another are one event. A row that is gone
    or that no link names is not among them; `chain_fault` is what finds it.
    """
    rows = [(link, trail.rows.get((link.table_name, link.row_id))) for link in trail.links]
    there = [(link, row) for link, row in rows if row is not None]
    found: list[Event] = []
    champions: set[int] = set()
    approved: dict[str, str] = {}  # proposal → evidence on which its promotion was decided

    def key(entry: tuple[Link, Row]) -> object:
        link, _ = entry
        return "observations" if link.table_name == "observations" and not each_window else link

    for _, group in groupby(there, key):
        several = list(group)
        link, row = several[0]
        match link.table_name:
            case "observations" if len(several) > 1:
                found.append(_windows(several))
            case "decisions":
                if row["step"] == "promote":
                    approved[row["proposal"]] = row["evidence"]
                found.append(_decision(link, row))
            case "promotions":
                back = row["version"] in champions
                champions.add(row["version"])
                found.append(_promotion(link, row, back, approved.get(row["proposal"], "")))
            case table:
                found.append(_KINDS.get(table, _other)(link, row))
    return found


def _observation(link: Link, row: Row) -> Event:
    again = f", revision {row['revision']}" if row["revision"] else ""
    what = f"window from {_day(row['window_start'])} is {row['verdict']} under version "
    return _at(
        link,
        row,
        row["window_end"],
        f"{what}{row['version']}{again}",
        by="monitor",
        why=row["reason"],
        evidence=_digests(row, "spec", "data"),
    )


def _windows(several: list[tuple[Link, Row]]) -> Event:
    (first, _), (last, newest) = several[0], several[-1]
    rows = [row for _, row in several]
    verdicts = Counter(row["verdict"] for row in rows)
    told = ", ".join(f"{count} {verdict}" for verdict, count in sorted(verdicts.items()))
    versions = ", ".join(str(v) for v in sorted({row["version"] for row in rows}))
    since = _day(min(row["window_start"] for row in rows))
    return Event(
        first.position,
        last.position,
        newest["recorded_at"],
        max(row["window_end"] for row in rows),
        f"{len(rows)} observations from {since} on under version {versions}: {told}",
        "monitor",
    )


def _proposal(link: Link, row: Row) -> Event:
    rows = f"rows from {_day(row['trained_from'])} until {_day(row['trained_until'])}"
    return _at(
        link,
        row,
        row["trained_until"],
        f"{row['kind']} proposed, {rows}",
        by=row["proposer"],
        why=row["reason"],
        evidence=_digests(row, "spec"),
    )


def _question(link: Link, row: Row) -> Event:
    people = ", ".join(user[-1] for user in row["asked"]) or "nobody"
    return _at(
        link,
        row,
        None,
        f"{row['step']}: {people} asked",
        by="gatelatch",
        evidence={"evidence": row["evidence"]},
    )


def _adoption(link: Link, row: Row) -> Event:
    lost = f", {len(row['lost'])} kept heads given up" if row["lost"] else ""
    what = f"rows 1 to {row['position']} adopted{lost}"
    return _at(link, row, None, what, by=row["by"], why=row["reason"])


def _freeze(link: Link, row: Row) -> Event:
    return _at(link, row, None, row["state"], by=row["by"], why=row["reason"])


def _expiry(link: Link, row: Row) -> Event:
    count = len(row["expired"])
    thing = "figures of windows thinned" if row["kind"] == "figures" else f"{row['kind']} removed"
    what = f"{thing} up to {_day(row['until'])}: {count}"
    return _at(link, row, row["until"], what, by=row["by"], why=row["policy"])


def _look(link: Link, row: Row) -> Event:
    columns = f", with {', '.join(row['columns'])}" if row["columns"] else ""
    what = (
        f"{row['rows']} rows of the window from {_day(row['window_start'])} looked at "
        f"({row['purpose']} by {row['ranked']}, version {row['version']}){columns}"
    )
    digest = _digests(row, "data")
    return _at(link, row, row["window_end"], what, by=row["by"], why=row["shown"], evidence=digest)


def _notice(link: Link, row: Row) -> Event:
    within = f", within {row['within']}" if row["within"] else ""
    what = f"{row['event']}: {row['channel']} is to be told{within}, attempt {row['attempt']}"
    if not row["attempt"]:  # no message: since when a channel hears of the model
        what = f"{row['channel']} hears of this model, at least {row['severity']}"
    return _at(link, row, None, what, by="gatelatch", why=row["message"])


def _delivery(link: Link, row: Row) -> Event:
    what = f"{row['event']}: attempt {row['attempt']} to tell {row['channel']}: {row['outcome']}"
    return _at(link, row, None, what, by="gatelatch", why=row["detail"])


def _decision(link: Link, row: Row) -> Event:
    return _at(
        link,
        row,
        row["effective_from"],
        f"{row['step']}: {row['answer'].replace('_', ' ')}",
        by=row["by"],
        why=row["comment"],
        evidence={"evidence": row["evidence"]} if row["evidence"] else {},
    )


def _candidate(link: Link, row: Row) -> Event:
    verdicts = Counter(str(gate["verdict"]).replace("_", " ") for gate in row["gates"])
    gates = ", ".join(f"{count} {verdict}" for verdict, count in verdicts.most_common())
    return _at(
        link,
        row,
        row["trained_until"],
        f"version {row['version']} registered; gates: {gates}",
        by="retrain",
        evidence=_digests(row, "artifact", "data", "spec"),
    )


def _promotion(link: Link, row: Row, back: bool, evidence: str) -> Event:
    before = "no champion" if row["expected"] is None else f"version {row['expected']}"
    done = "rolled back to" if back else "promoted"
    return _at(
        link,
        row,
        row["effective_from"],
        f"{done} version {row['version']}, in place of {before}",
        by=row["by"],
        why=row["reason"],
        evidence={"evidence": evidence} if evidence else {},
    )


def _other(link: Link, row: Row) -> Event:
    said = [name for name in ("kind", "step", "verdict", "version") if row.get(name) is not None]
    told = ", ".join(f"{name} {row[name]}" for name in said)
    return _at(
        link, row, row.get("effective_from"), f"{link.table_name}: {told}", str(row.get("by") or "")
    )


_KINDS: Mapping[str, Callable[[Link, Row], Event]] = {
    "observations": _observation,
    "proposals": _proposal,
    "questions": _question,
    "adoptions": _adoption,
    "candidates": _candidate,
    "freezes": _freeze,
    "expiries": _expiry,
    "looks": _look,
    "notices": _notice,
    "deliveries": _delivery,
}


def _at(
    link: Link, row: Row, event_time: datetime | None, what: str, by: str, **parts: Any
) -> Event:
    at = link.position
    proposal = str(row.get("proposal") or "")
    return Event(at, at, row["recorded_at"], event_time, what, by, proposal, **parts)


def _digests(row: Row, *names: str) -> dict[str, str]:
    return {name: row[f"{name}_digest"] for name in names}


def _day(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}".removesuffix(" 00:00")
