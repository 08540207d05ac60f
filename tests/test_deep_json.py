"""JSON that others may write, nested deeper than Python's stack: refused as any other text is."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tasks import formats, store
from tasks.audit import heads
from tasks.data.readers import SourceError
from tasks.data.score_manifest import manifest_in
from tasks.drift.summary_json import summary_in
from tasks.ledger import kept_fold
from tasks.registry.promotion_record import RecordRefused, read_record
from tasks.scoring import fetch
from tasks.signing import signatures
from tasks.spec.model import ModelSpec
from tests.conftest import CHURN

DEEP = "[" * 100_000
TEXTS = ["no JSON", DEEP, f'{{"a": {DEEP}', "5", '{"position": Infinity}']
SPEC = ModelSpec.model_validate(CHURN)


def _fetched(text: str, folder: Path) -> None:
    (folder / fetch._POINTER).write_text(text)
    fetch._pointed(folder)


def _signed(text: str, folder: Path) -> None:
    (folder / signatures.SIGNATURE).write_text(text)
    signatures.verify(folder)


_STORED = (formats.Damaged, formats.OtherFormat)
READERS: dict[str, tuple[Callable[[str, Path], object], type[Exception] | tuple[Any, ...]]] = {
    "record of a promotion": (lambda text, _: read_record("churn", text), RecordRefused),
    "manifest of scores": (lambda text, _: manifest_in(text, "scores"), SourceError),
    "summary": (lambda text, _: summary_in(text.encode(), "summary"), _STORED),
    "fetched model": (_fetched, fetch.FetchRefused),
    "signature of files": (_signed, signatures.SignatureRefused),
}


@pytest.mark.parametrize("text", TEXTS, ids=["none", "deep", "below", "number", "infinite"])
@pytest.mark.parametrize("name", READERS)
def test_what_reads_json_of_others_refuses_it_by_an_error_of_its_own(
    name: str, text: str, tmp_path: Path
) -> None:
    read, refusal = READERS[name]
    with pytest.raises(refusal):
        read(text, tmp_path)


@pytest.mark.parametrize("text", TEXTS)
def test_a_head_that_is_none_is_a_digest_that_no_chain_holds(text: str) -> None:
    assert heads.from_text("churn", text, "in the store") == heads.Head(text, "in the store")
    kept = {"schema": heads.HEADS_SCHEMA, "model": "churn", "position": float("inf")}
    infinite = json.dumps(kept)
    assert heads.from_text("churn", infinite, "there") == heads.Head(infinite, "there")


@pytest.mark.parametrize("text", TEXTS)
def test_a_kept_fold_that_is_none_is_not_used_and_stops_nothing(text: str, stores: Path) -> None:
    store.write(f"{kept_fold._place(SPEC)}.json", text)
    assert kept_fold.load_fold(SPEC) is None


def test_stored_json_that_nests_too_deeply_is_an_error_of_its_value() -> None:
    with pytest.raises(ValueError, match="nests deeper"):
        formats.parsed_json(DEEP)
    assert formats.stored_json(DEEP) == formats.Unparsed(DEEP)
