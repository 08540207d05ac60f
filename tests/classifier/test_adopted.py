"""A pipeline that was fit elsewhere: its order of features, its scores, and what it weighs."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.feature_selection import SelectKBest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, StandardScaler
from sklearn.svm import SVC, LinearSVC

from tasks.classifier import adopted, scoring
from tasks.classifier.adopted import CannotScore, NotAdoptable
from tasks.drift.attribution import contributions_by_class, contributions_of_scores
from tasks.spec.model import ModelSpec

ROOT = Path(__file__).parents[2]
Make = Callable[..., ModelSpec]
MIXED = {"numeric": ["x", "z"], "categorical": ["plan"]}


def frame(rows: int = 300) -> pd.DataFrame:
    rng = np.random.default_rng(7)
    x, z = rng.normal(size=(2, rows))
    return pd.DataFrame({"x": x, "z": z, "plan": rng.choice(["a", "b", "c"], rows)})


def label(rows: pd.DataFrame, classes: int = 2) -> Any:
    value = rows["x"] + 0.3 * rows["z"] + (rows["plan"] == "a")
    return np.digitize(value, np.quantile(value, np.linspace(0, 1, classes + 1)[1:-1]))


def columns(*parts: Any) -> ColumnTransformer:
    return ColumnTransformer([(f"part {n}", *part) for n, part in enumerate(parts)])


EXPLAINED = {
    "scaled": lambda: make_pipeline(StandardScaler(), MinMaxScaler(), LinearSVC()),
    "bare": lambda: LinearSVC(fit_intercept=False),
    "by name": lambda: make_pipeline(
        columns((OneHotEncoder(), ["plan"]), (StandardScaler(), ["z", "x"])),
        LogisticRegression(),
    ),
    "passed through": lambda: make_pipeline(
        columns((OneHotEncoder(), ["plan"]), ("passthrough", ["x", "z"])), LinearSVC()
    ),
}
MIXING = {
    "pca": lambda: make_pipeline(PCA(2), LinearSVC()),
    "selected": lambda: make_pipeline(SelectKBest(k=1), LinearSVC()),
    "kernel": lambda: make_pipeline(StandardScaler(), SVC()),
}


def fitted(spec: Make, made: Any, classes: int) -> tuple[Any, Any, pd.DataFrame]:
    mixed = "columntransformer" in getattr(made, "named_steps", {})
    features = MIXED if mixed else {"numeric": ["x", "z"]}
    rows = frame()[["x", "z", "plan"] if mixed else ["x", "z"]]
    theirs = made.fit(rows, label(frame(), classes))
    names = list(range(classes))
    own = spec(features=features, label={"column": "y", "classes": names})
    return theirs, adopted.as_candidate(own, theirs), rows


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("kind", [*EXPLAINED, *MIXING])
def test_it_decides_as_elsewhere_and_what_is_said_of_features_adds_up(
    spec: Make, kind: str, classes: int
) -> None:
    made = {**EXPLAINED, **MIXING}[kind]()
    theirs, ours, rows = fitted(spec, made, classes)
    given = {str(name): rows[name].to_numpy() for name in reversed(rows.columns)}
    decision, weighed = scoring.score(ours, given)
    assert (decision == theirs.decision_function(rows)).all()
    said = contributions_of_scores(ours, weighed, decision)
    by_class = contributions_by_class(
        ours, weighed, decision, label(frame(), classes), tuple("012"[:classes])
    )
    if kind in MIXING:
        assert (said, by_class) == ({}, {})
        return
    assert set(said) == {*rows.columns, "(intercept)"}
    ordered = np.sort(decision, axis=-1)
    scores = decision if classes == 2 else ordered[:, -1] - ordered[:, -2]
    assert sum(said.values()) == pytest.approx(scores.sum())


def test_its_order_of_features_is_the_specs_unless_it_takes_them_by_name(spec: Make) -> None:
    rows = frame()
    swapped = spec(features={"numeric": ["z", "x"]})
    with pytest.raises(NotAdoptable, match=r"in the order \['x', 'z'\], and the spec has"):
        adopted.as_candidate(swapped, LinearSVC().fit(rows[["x", "z"]], label(rows)))
    by_name = make_pipeline(columns((StandardScaler(), ["x", "z"])), LinearSVC())
    adopted.as_candidate(swapped, by_name.fit(rows[["x", "z"]], label(rows)))
    by_place = make_pipeline(columns((StandardScaler(), [0, 1])), LinearSVC())
    with pytest.raises(NotAdoptable, match="in the order"):
        adopted.as_candidate(swapped, by_place.fit(rows[["x", "z"]], label(rows)))


def test_a_search_around_a_model_says_to_hand_in_the_model(spec: Make) -> None:
    rows = frame()[["x", "z"]]
    search = GridSearchCV(LinearSVC(), {"C": [1.0]}, cv=2).fit(rows, label(frame()))
    with pytest.raises(NotAdoptable, match="best_estimator_"):
        adopted.as_candidate(spec(features={"numeric": ["x", "z"]}), search)


def test_a_refused_row_is_named_without_its_value_and_a_wrong_shape_with_its_way_out(
    spec: Make,
) -> None:
    _, ours, rows = fitted(spec, EXPLAINED["by name"](), 2)
    with pytest.raises(CannotScore, match="refuses these rows") as refused:
        scoring.score(ours, rows.assign(plan="secret"))
    assert "secret" not in str(refused.value)
    assert refused.value.__suppress_context__
    _, ours, rows = fitted(spec, SVC(decision_function_shape="ovo"), 4)
    with pytest.raises(CannotScore, match=r"shape \(300, 6\) for 300 rows and 4 classes"):
        scoring.score(ours, rows)


def test_only_the_command_adopt_comes_to_a_pickle_and_no_worker_does() -> None:
    """What loads one is in `unpickle`, a process of its own; its one way in is that command."""
    loading = {"pickle", "joblib", "cloudpickle", "dill", "shelve", "marshal"}
    found: dict[str, set[str]] = {}
    for folder in ("tasks", "dags", "plugins"):
        for path in (ROOT / folder).rglob("*.py"):
            text = path.read_text(encoding="utf-8")
            nodes = list(ast.walk(ast.parse(text)))
            named = {a.name for n in nodes if isinstance(n, ast.Import) for a in n.names}
            for node in (n for n in nodes if isinstance(n, ast.ImportFrom)):
                named |= {str(node.module), *(f"{node.module}.{a.name}" for a in node.names)}
            module = path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".")
            for what in named:
                if what.split(".")[0] in loading:
                    found.setdefault("loads", set()).add(module)
                if what.startswith("tasks.cli.pickled"):
                    found.setdefault("imports pickled", set()).add(module)
            if "classifier.unpickle" in text:
                found.setdefault("names unpickle", set()).add(module)
    assert found == {
        "loads": {"tasks.classifier.unpickle"},
        "imports pickled": {"tasks.cli.adopt_command"},
        "names unpickle": {"tasks.cli.pickled"},
    }
