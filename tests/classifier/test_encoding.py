"""Features become numbers alike in training, monitor and MLflow; what is rare is in no file."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import httpx
import mlflow
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlflow.pyfunc import scoring_server
from sklearn.compose import ColumnTransformer
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from tasks.classifier import calibration, scoring, skops_file, training
from tasks.classifier.encoding import encode, encoder
from tasks.classifier.training import TrainingError
from tasks.data.frame import feature_columns, feature_frame
from tasks.registry import registry, tracking
from tasks.spec.model import ModelSpec
from tests.support.candidates import record, registered

Make = Callable[..., ModelSpec]
COUNT = 400
KINDS = {"numeric": ["x", "age", "member"], "categorical": ["flag", "zone", "shop"]}
SERVED: dict[str, dict[str, Callable[[pd.Series], Any]]] = {
    "age": {
        "int64": lambda c: c,
        "int8": lambda c: c.astype("int8"),
        "float": lambda c: c.astype(float),
        "nullable": lambda c: c.astype("Int64"),
        "object": lambda c: c.astype(object),
    },
    "member": {
        "bool": lambda c: c,
        "int": lambda c: c.astype(int),
        "float": lambda c: c.astype(float),
        "nullable": lambda c: c.astype("boolean"),
    },
    "flag": {
        "bool": lambda c: c,
        "nullable": lambda c: c.astype("boolean"),
        "object": lambda c: c.astype(object),
        "text": lambda c: c.astype(str),
        "small text": lambda c: c.astype(str).str.lower(),
        "category": lambda c: c.astype("category"),
    },
    "zone": {
        "int64": lambda c: c,
        "uint8": lambda c: c.astype("uint8"),
        "float": lambda c: c.astype(float),
        "float32": lambda c: c.astype("float32"),
        "nullable": lambda c: c.astype("Int64"),
        "object": lambda c: c.astype(object),
        "text": lambda c: c.astype(str),
        "text of a float": lambda c: c.astype(float).astype(str),
        "category": lambda c: c.astype("category"),
    },
    "shop": {
        "str": lambda c: c,
        "object": lambda c: c.astype(object),
        "category": lambda c: c.astype("category"),
    },
}


def rows(seed: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "x": rng.normal(size=COUNT),
            "age": rng.integers(18, 60, COUNT),
            "member": rng.random(COUNT) < 0.5,
            "flag": rng.random(COUNT) < 0.5,
            "zone": rng.integers(0, 12, COUNT),
            "shop": rng.choice(["north", "7", "7.5", "0012", "", "Łódź, 2nd", "true"], COUNT),
        }
    )


def batch(frame: pd.DataFrame) -> pa.RecordBatch:
    return pa.RecordBatch.from_pandas(frame, preserve_index=False)


@pytest.fixture(scope="module")
def served(signing_key: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Yield a registered model, as the monitor has it, and as MLflow's two ways load it."""
    folder = tmp_path_factory.mktemp("served")
    uri = f"sqlite:///{folder / 'mlflow.db'}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", uri)
        patch.setenv("GATELATCH_ARTIFACTS", str(folder / "artifacts"))
        tracking.connect.cache_clear()
        tracking.prepare_store()
        spec = ModelSpec.model_validate({**BARE, "features": KINDS})
        frame = rows()
        label = (
            (frame.x + frame.flag + (frame.zone > 5) + (frame.shop == "7") > 1.5) ^ 0
        ).to_numpy()
        read = feature_frame(spec, batch(frame))
        fitted = training.fit(spec, read[:300], label[:300].astype(int))
        model = calibration.learn_probabilities(
            fitted, read[300:], label[300:].astype(int), "sigmoid"
        )
        registry.register_version(spec, tracking.start("served", "p1", {}), model, record())
        tracking.connect().set_registered_model_alias("served", "champion", "1")
        yield (
            spec,
            model,
            mlflow.pyfunc.load_model("models:/served@champion"),
            mlflow.sklearn.load_model("models:/served@champion"),
        )
    tracking.connect.cache_clear()


BARE: dict[str, Any] = {
    "model": "served",
    "owner": {"name": "team", "approvers": ["ada"]},
    "source": {"path": "unused", "time": "time", "key": "id"},
    "window": {"every": "1d", "start": "2026-01-01"},
    "label": {"column": "y", "classes": [0, 1]},
    "training": {"window": "5d"},
}


def watched(spec: ModelSpec, model: Any, frame: pd.DataFrame) -> Any:
    """Return the probabilities that the monitor has for rows."""
    decision = scoring.decision_values(model, feature_columns(spec, batch(frame)))
    return calibration.probabilities(model, decision)


async def _posted(app: Any, body: dict[str, Any]) -> Any:
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://served") as client:
        return (await client.post("/invocations", json=body)).json()


@pytest.mark.parametrize(
    ("column", "kind"), [(column, kind) for column, kinds in SERVED.items() for kind in kinds]
)
def test_mlflow_serves_the_probabilities_that_the_monitor_has_whatever_type_is_sent(
    served: Any, column: str, kind: str
) -> None:
    spec, model, by_pyfunc, by_sklearn = served
    frame = rows(2)
    expected = watched(spec, model, frame)
    sent = frame[list(spec.features.columns)]
    sent = sent.assign(**{column: SERVED[column][kind](sent[column])})
    for found in (by_pyfunc.predict(sent), by_sklearn.predict_proba(sent)):
        np.testing.assert_allclose(np.asarray(found), expected, rtol=1e-9, atol=1e-12)
    assert np.ptp(expected[:, 1]) > 0.5


def test_a_server_of_mlflow_answers_json_with_what_the_monitor_has(served: Any) -> None:
    spec, model, by_pyfunc, _ = served
    frame = rows(3)
    columns = frame[list(spec.features.columns)].to_json(orient="split", double_precision=15)
    body = {"dataframe_split": json.loads(columns)}
    found = asyncio.run(_posted(scoring_server.init(by_pyfunc), body))["predictions"]
    np.testing.assert_allclose(np.asarray(found), watched(spec, model, frame), rtol=1e-9)


def test_a_category_that_nobody_has_seen_is_served_as_the_monitor_scores_it(served: Any) -> None:
    spec, model, by_pyfunc, by_sklearn = served
    frame = rows(4).assign(zone=np.arange(COUNT) + 10**12, shop="no such shop")
    expected = watched(spec, model, frame)
    sent = frame[list(spec.features.columns)]
    for found in (by_pyfunc.predict(sent), by_sklearn.predict_proba(sent)):
        np.testing.assert_allclose(np.asarray(found), expected, rtol=1e-9)


@pytest.mark.parametrize("column", ["x", "shop"])
def test_a_missing_number_or_text_is_refused_where_it_is_served(served: Any, column: str) -> None:
    spec, _, by_pyfunc, by_sklearn = served
    sent = rows(5)[list(spec.features.columns)]
    sent.loc[7, column] = None
    for ask in (by_pyfunc.predict, by_sklearn.predict_proba):
        with pytest.raises(ValueError, match=r"NaN|np.nan is an invalid document"):
            ask(sent)


@given(st.one_of(st.text(), st.booleans(), st.integers(-(2**63), 2**63 - 1)))
def test_a_served_value_is_the_category_that_the_monitor_reads(value: Any) -> None:
    spec = ModelSpec.model_validate({**BARE, "features": {"categorical": ["shop"]}})
    (_, token, _), *_ = encoder(spec).transformers
    read = feature_columns(spec, pa.RecordBatch.from_pydict({"shop": [value]}))["shop"][0]
    assert isinstance(read, str)
    tokens = token.build_analyzer()
    assert len(tokens(read)) == 1
    assert tokens(read) == tokens(value)


@pytest.mark.parametrize("text", ["7", "", "0", ".0", "a b", "10.05", "two\nlines\n", "ünï"])
def test_a_category_is_its_whole_text(spec: Make, text: str) -> None:
    one = spec(features={"numeric": [], "categorical": ["shop"]}, training={"rare_below": 1})
    fitted = encoder(one).fit(pd.DataFrame({"shop": [text, "other"]}))
    seen = encode(fitted, {"shop": np.array([text, "other", text + "?"], dtype=object)})
    assert np.asarray(seen.sum(axis=1)).ravel().tolist() == [1, 1, 0]


def test_each_distinct_text_is_read_once_and_gives_what_scikit_learn_does(spec: Make) -> None:
    mixed = spec(features={"numeric": ["x"], "categorical": ["shop", "zone"], "text": ["note"]})
    frame = rows().assign(note=lambda f: "tea " + f.shop + " for zone " + f.zone.astype(str))
    read = feature_frame(mixed, batch(frame))
    for threshold in (0.0, 1.0):
        fitted = encoder(mixed).set_params(sparse_threshold=threshold).fit(read)
        ours, theirs = encode(fitted, read), fitted.transform(read)
        assert type(ours) is type(theirs)
        assert abs(ours - theirs).max() == 0


def test_a_model_with_a_one_hot_encoder_still_scores_as_it_did(spec: Make) -> None:
    old = spec(features={"numeric": ["x"], "categorical": ["flag", "shop"]})
    read = feature_frame(old, batch(rows()))
    steps = [
        ("numeric", StandardScaler(), ["x"]),
        ("categorical", OneHotEncoder(handle_unknown="ignore"), ["flag", "shop"]),
    ]
    fitted = ColumnTransformer(steps).fit(read)
    assert abs(encode(fitted, read) - fitted.transform(read)).max() == 0


# --- what is rare


CANARY = {"shop": "Zanzibar-31415", "zone": 271828182, "note": "xylophonist"}


def with_canary(frame: pd.DataFrame) -> pd.DataFrame:
    frame = frame.assign(note=np.where(frame.x > 0, "good tea", "bad bread"))
    frame.loc[:3, "zone"] = CANARY["zone"]
    frame.loc[2:5, "shop"] = CANARY["shop"]
    frame.loc[4:7, "note"] = f"good {CANARY['note']} of tea"
    return frame


def test_a_value_of_few_rows_is_in_no_file_that_mlflow_has(
    spec: Make, stores: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracking.prepare_store()
    wide = spec(features={**KINDS, "text": ["note"]})
    frame = with_canary(rows())
    label = (frame.x + frame.flag > 0.5).astype(int).to_numpy()
    read = feature_frame(wide, batch(frame))
    model = calibration.learn_probabilities(training.fit(wide, read, label), read, label, "sigmoid")
    run, _ = registered(wide, model)
    tracking.put_model(run, "calibrated", model)
    assert training.fit(wide, read, label)["features"].named_transformers_["text_0"].vocabulary_
    everything = [p for p in stores.rglob("*") if p.is_file()]
    searched = 0
    for path in everything:
        content = path.read_bytes()
        parts = {"": content}
        if path.suffix == ".skops":
            parts = {n: ZipFile(io.BytesIO(content)).read(n) for n in ZipFile(path).namelist()}
            assert any(b"bread" in part for part in parts.values())
            searched += 1
        for name, part in parts.items():
            for word in map(str, CANARY.values()):
                assert word.lower().encode() not in part.lower(), (path.name, name, word)
    assert searched == 2
    keep = spec(features={**KINDS, "text": ["note"]}, training={"rare_below": 1})
    kept = ZipFile(io.BytesIO(skops_file.dump(training.fit(keep, read, label)))).read("schema.json")
    assert all(str(word).encode() in kept for word in CANARY.values())


def test_rare_categories_are_pooled_with_those_that_nobody_has_seen(spec: Make) -> None:
    one = spec(features=KINDS)
    frame = with_canary(rows())
    label = (frame.x + frame.flag > 0.5).astype(int).to_numpy()
    model = training.fit(one, feature_frame(one, batch(frame)), label)
    unseen = frame.assign(shop=frame.shop.replace(CANARY["shop"], "never heard of"))
    ours, theirs = (
        scoring.decision_values(model, feature_columns(one, batch(f))) for f in (frame, unseen)
    )
    assert (ours == theirs).all()


MUTE = {
    "one-letter tokens": ("text", [f"{i % 7}-{i % 9}" for i in range(COUNT)], "no word of two"),
    "empty texts": ("text", [""] * COUNT, "no word of two"),
    "signs": ("text", ["?! …"] * COUNT, "no word of two"),
    "rare words": ("text", [f"word{i}" for i in range(COUNT)], "no word of two"),
    "rare categories": ("categorical", [f"c{i}" for i in range(COUNT)], "no category stands in 5"),
    "missing texts": ("text", [None] * COUNT, "no word of two"),
}


@pytest.mark.parametrize("case", MUTE)
def test_a_column_with_nothing_to_learn_is_named_with_the_way_out(spec: Make, case: str) -> None:
    kind, values, said = MUTE[case]
    one = spec(features={"numeric": ["x"], kind: ["odd"]})
    frame = rows().assign(odd=pd.Series(values, dtype=object))
    label = (frame.x > 0).astype(int).to_numpy()
    with pytest.raises(TrainingError, match=said) as caught:
        training.fit(one, frame[["x", "odd"]], label)
    told = str(caught.value)
    for words in ("column 'odd'", f"of the {COUNT}", "take it out of `features`", "rare_below"):
        assert words in told
    assert caught.value.__cause__ is None
    assert "word7" not in told
