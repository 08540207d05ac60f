"""A value of few rows is nowhere but in its own store: not in MLflow, ledger, reports or briefs."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.flows import asking, monitor, retrain
from tasks.flows.measure import measure
from tasks.ledger.ledger import Ledger
from tasks.promotion import decisions, promotion, proposals
from tasks.registry import registry, tracking
from tasks.spec.model import ModelSpec
from tests.support.flow import MODEL, answer, day, enter, file, rows, window

SPEC = ModelSpec.model_validate(
    {
        **MODEL.model_dump(mode="json"),
        "features": {"numeric": ["x", "z"], "categorical": ["shop", "zone"], "text": ["note"]},
        "training": {"window": "5d"},
    }
)
# a category, a category that reads like a key, and a word; each in four rows of the fit
CANARIES = ("Zanzibar-31415", "271828182", "xylophonist")


def land(number: int) -> None:
    """Land a day; on the first and on the last one that trains, two rows hold what is rare."""
    plain = rows(number)
    rng = np.random.default_rng(number)
    columns = {
        "shop": rng.choice(["north", "south"], 300).astype(object),
        "zone": rng.integers(1, 5, 300),
        "note": np.where(plain["x"] > 0, "good tea", "bad bread").astype(object),
    }
    if number in (1, 2, 5, 6):
        columns["shop"][:2] = CANARIES[0]
        columns["zone"][:2] = int(CANARIES[1])
        columns["note"][1:3] = f"good {CANARIES[2]} of tea"
    pq.write_table(pa.table({**plain, **columns}), file(number))


def pieces(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Yield everything that stands in files, and in the members of model files."""
    for path in folder.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            yield str(path.relative_to(folder)), content
            if path.suffix == ".skops":
                members = ZipFile(io.BytesIO(content))
                for name in members.namelist():
                    yield f"{path.name}/{name}", members.read(name)


def test_a_value_of_few_rows_leaves_its_store_nowhere(
    tmp_path: Path, stores: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = stores / "here" / "now"
    (place / "data").mkdir(parents=True)
    enter(monkeypatch, place)
    tracking.prepare_store()
    for number in range(1, 7):
        land(number)
    span = {"training_window": timedelta(days=5), "until": day(6)}
    asked = proposals.propose(
        SPEC, "boot", reason="bootstrap", proposer="otto", now=day(20), **span
    )
    said = [asking.to_retrain(SPEC, asked, "/dags/here")]
    decisions.decide(SPEC, "boot", "retrain", answer())
    run = retrain.train(SPEC, "boot")["candidate_run"]
    retrain.calibrate(SPEC, "boot", run)
    result = retrain.gate(SPEC, "boot", run)
    assert result["passed"], result
    retrain.register(SPEC, "boot", run)
    said.append(asking.to_promote(SPEC, "boot", "/dags/here"))
    decisions.decide(SPEC, "boot", "promote", answer())
    promotion.promote(SPEC, "boot")
    validated = monitor.validate(SPEC, window(6))
    monitor.judge(SPEC, window(6), measure(SPEC, window(6), validated))
    (candidate,) = Ledger.open().candidates("churn")
    model = registry.load_version("churn", candidate.version, candidate.artifact_digest)
    words = model.estimator.estimator["features"].named_transformers_["text_0"].vocabulary_
    assert sorted(words) == ["bad", "bread", "good", "tea"]
    found = [
        (name, canary)
        for name, content in pieces(stores / "here")
        for canary in CANARIES
        if canary.lower().encode() in content.lower() and not name.startswith("now/data/")
    ]
    assert found == []
    assert not any(canary in str(brief) for brief in said for canary in CANARIES)
    names = {Path(name).name for name, _ in pieces(stores / "here")}
    everywhere = {"lineage.json", "model_card.md", "gates.html", "gate_page.json", "schema.json"}
    assert everywhere <= names
    assert {"mlflow.db", "ledger.db", "calibrated.skops", "fitted.skops", "MLmodel"} <= names
