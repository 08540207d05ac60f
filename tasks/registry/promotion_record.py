"""A promotion as MLflow carries it: signed, for those who score and cannot ask the ledger.

It says which files a promotion made champion. Each is kept as a tag of the version that it made
champion, so it comes along with that version.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from tasks.errors import Final
from tasks.formats import parsed_json
from tasks.registry import tagged_heads
from tasks.registry.tracking import asking
from tasks.signing import signatures

RECORD_SCHEMA = "gatelatch.promotion/1"
_TAG = "gatelatch.promotion_record."  # and the number of the promotion


class RecordRefused(Final):
    """What stands for a promotion is no record that a trusted key signed; names the way out."""


@dataclass(frozen=True, kw_only=True)
class PromotionRecord:
    """The `number`-th promotion of a model, and the digest of the files that it made champion.

    `effective_from` is the first event time of which the version is champion, in ISO 8601.
    """

    model: str
    number: int
    version: int
    artifact_digest: str
    effective_from: str

    def sealed(self) -> str:
        """Return the record as text, signed. Raises `tasks.signing.keyring.KeyUnusable`."""
        content = {"schema": RECORD_SCHEMA, **asdict(self)}
        text = json.dumps(content, sort_keys=True)
        signature = signatures.seal_content(text.encode(), _place(self.model))
        return json.dumps({"record": text, "signature": b64encode(signature).decode()})


@dataclass(frozen=True, kw_only=True)
class TaggedRecord:
    """The text of a record as MLflow has it, with the version that it stands with; not verified."""

    version: int
    text: str


@dataclass(frozen=True, kw_only=True)
class Tagged:
    """What MLflow has of a model: its records by number of the promotion, and its versions."""

    records: Mapping[int, TaggedRecord]
    versions: frozenset[int]


def read_record(model: str, sealed: str) -> PromotionRecord:
    """Return the record in a text that `sealed` gave.

    Raises
    ------
    RecordRefused
        If no trusted key signed it, for this model; or if another release wrote it.
    tasks.signing.keyring.KeyUnusable
        If there is no key to verify with.
    """
    why = "it is no signed record"
    try:
        outer: Any = parsed_json(sealed)
        text, signature = str(outer["record"]), b64decode(outer["signature"], validate=True)
        signatures.check_content(text.encode(), _place(model), signature)
        kept: Any = parsed_json(text)
        if kept.pop("schema") == RECORD_SCHEMA:
            datetime.fromisoformat(kept["effective_from"])
            return PromotionRecord(**kept)
        why = "another release of Gatelatch wrote it"
    except signatures.SignatureRefused:
        why = "no trusted key signed it (GATELATCH_VERIFY_KEY)"
    except (LookupError, TypeError, ValueError):
        pass
    raise RecordRefused(
        f"the promotion record of {model} is refused: {why}; let `python -m tasks init` write it "
        "anew where the workers' key is, or fetch with the ledger (GATELATCH_LEDGER)"
    )


def _place(model: str) -> str:
    return f"promotion/{model}"


def keep_records(model: str, records: Iterable[PromotionRecord]) -> None:
    """Keep each record with its version in MLflow, where it is not there or not as it should be."""
    there = tagged_records(model)
    for record in records:
        kept = there.records.get(record.number)
        if record.version in there.versions and not _holds(kept, record):
            key = f"{_TAG}{record.number}"
            tagged_heads.keep_tag(model, record.version, key, record.sealed())


def _holds(found: TaggedRecord | None, record: PromotionRecord) -> bool:
    try:
        return (
            found is not None
            and found.version == record.version
            and read_record(record.model, found.text) == record
        )
    except RecordRefused:
        return False


def tagged_records(model: str) -> Tagged:
    """Return what MLflow has of a model. Nothing of it is verified: see `read_record`."""
    with asking(f"the promotions of {model} cannot be read") as client:
        found = client.search_model_versions(f"name = '{model}'")
        records = {
            int(key.removeprefix(_TAG)): TaggedRecord(version=int(version.version), text=text)
            for version in found
            for key, text in version.tags.items()
            if key.startswith(_TAG) and key.removeprefix(_TAG).isdecimal()
        }
        return Tagged(records=records, versions=frozenset(int(v.version) for v in found))


def record_of(
    model: str, tagged: Mapping[int, TaggedRecord], version: int | None
) -> tuple[PromotionRecord, str] | None:
    """Return the newest record of a version, or of all for None, and its text; None without one.

    Raises as `read_record` does: a newer one that is forged is not passed over.
    """
    mine = {n: found for n, found in tagged.items() if version in (None, found.version)}
    if not mine:
        return None
    number = max(mine)
    found = mine[number]
    record = read_record(model, found.text)
    if (record.number, record.version) != (number, found.version):
        raise RecordRefused(
            f"the promotion record {number} of {model} stands with version {found.version} in "
            f"MLflow, and was signed as record {record.number} of version {record.version}; let "
            "`python -m tasks init` write it anew, or fetch with the ledger (GATELATCH_LEDGER)"
        )
    return record, found.text
