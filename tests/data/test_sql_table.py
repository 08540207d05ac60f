"""A table's columns have the types of the table, whatever a part of its rows holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pyarrow as pa
import pytest
import sqlalchemy as sa

from tasks.classifier.training_rows import gather
from tasks.data.frame import class_indices
from tasks.data.outside import Outside
from tasks.data.readers import SourceError
from tasks.data.window_rows import batches
from tasks.spec.model import ModelSpec
from tasks.spec.windows import Window

Spec = Callable[..., ModelSpec]
DAY = Window(datetime(2026, 1, 2, tzinfo=UTC), datetime(2026, 1, 3, tzinfo=UTC))
POSTGRES = "postgresql+psycopg://postgres@127.0.0.1:5432/test"
PART = 16_384  # rows of which the types were guessed
NULLABLE = {
    "boolean": (sa.Boolean, True, pa.bool_()),
    "integer": (sa.Integer, 1, pa.int64()),
    "double": (sa.Double, 0.5, pa.float64()),
    "numeric": (sa.Numeric(9, 2, asdecimal=False), 0.5, pa.float64()),
    "text": (sa.Text, "a", pa.string()),
}
PLACES = ("x", "shop", "y")  # a number, a category and the label


@pytest.fixture(params=["sqlite", "postgresql"])
def table(
    request: pytest.FixtureRequest, tmp_path: Path, spec: Spec, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., ModelSpec]]:
    """Return what fills a table, and gives the spec of it."""
    url = POSTGRES if request.param == "postgresql" else f"sqlite:///{tmp_path / 'rows.db'}"
    engine, name = sa.create_engine(url), f"gatelatch_sql_{uuid4().hex[:10]}"
    try:
        engine.connect().close()
    except sa.exc.OperationalError:
        pytest.skip(f"no PostgreSQL at {url}")
    monkeypatch.setenv("ROWS", url)

    def make(columns: dict[str, Any], rows: list[dict[str, Any]], **parts: Any) -> ModelSpec:
        kinds = {"time": sa.DateTime, "id": sa.Integer, **columns}
        made = sa.Table(name, sa.MetaData(), *(sa.Column(*item) for item in kinds.items()))
        made.drop(engine, checkfirst=True)
        made.create(engine)
        first = DAY.start.replace(tzinfo=None)
        plain = [
            {"time": first + timedelta(seconds=i), "id": i, **row} for i, row in enumerate(rows)
        ]
        with engine.begin() as link:
            link.execute(made.insert(), plain)
        features = {"numeric": ["x"], "categorical": ["shop"]}
        source = {"path": None, "table": name, "database": "ROWS"}
        return spec(**{"source": source, "features": features} | parts)

    yield make
    with engine.begin() as link:
        link.execute(sa.text(f"drop table if exists {name}"))
    engine.dispose()


@pytest.mark.parametrize("name", NULLABLE)
def test_a_part_without_any_value_has_the_type_of_the_table(
    table: Callable[..., ModelSpec], name: str
) -> None:
    kind, value, expected = NULLABLE[name]
    rows = [dict.fromkeys(PLACES)] * (PART + 10) + [dict.fromkeys(PLACES, value)] * 10
    found = list(batches(table(dict.fromkeys(PLACES, kind), rows), DAY))
    assert len({batch.schema for batch in found}) == 1
    fits = {"x": True, "shop": name not in ("double", "numeric"), "y": name != "text"}
    for place in PLACES:
        if fits[place]:
            assert found[0].schema.field(place).type == expected
        assert sum(batch.column(place).null_count for batch in found) == PART + 10


def test_rows_whose_newest_labels_are_unknown_train_on_the_others(
    table: Callable[..., ModelSpec],
) -> None:
    columns = {"x": sa.Double, "shop": sa.Text, "y": sa.Boolean}
    rows = [{"x": float(i % 7), "shop": "a", "y": i % 2 == 0} for i in range(PART)]
    rows += [{"x": 1.0, "shop": None if i == 5 else "b", "y": None} for i in range(PART)]
    spec = table(columns, rows)
    label = gather(spec, batches(spec, DAY)).label
    assert (len(label), label.sum()) == (PART, PART / 2)


@pytest.mark.parametrize(
    ("kind", "classes", "values"),
    [
        (sa.Boolean, [0, 1], [False, True]),
        (sa.Boolean, ["false", "true"], [False, True]),
        (sa.Boolean, ["no", "yes"], [False, True]),
        (sa.Integer, ["0", "1"], [0, 1]),
        (sa.Numeric(9, 0, asdecimal=False), [0, 1], [0, 1]),
        (sa.Text, [0, 1], ["0", "1"]),
        (sa.Text, [0, 1], ["f", "t"]),
        (sa.Text, ["01", "02"], ["01", "02"]),
    ],
)
def test_labels_of_a_table_mean_their_classes(
    table: Callable[..., ModelSpec], kind: Any, classes: list[Any], values: list[Any]
) -> None:
    columns = {"x": sa.Double, "shop": sa.Text, "y": kind}
    rows = [{"x": 1.0, "shop": "a", "y": value} for value in (*values, None)]
    spec = table(columns, rows, label={"classes": classes})
    (batch,) = batches(spec, DAY)
    assert class_indices(spec, batch).tolist() == [0, 1, -1]


def test_rows_of_a_table_that_no_window_holds_are_counted(
    table: Callable[..., ModelSpec],
) -> None:
    far = [datetime(1970, 1, 1), datetime(2026, 1, 1, 5), None, datetime(2100, 1, 1)]
    columns = {"x": sa.Double, "shop": sa.Text, "y": sa.Integer}
    rows = [{"x": 1.0, "shop": "a", "y": 1}] * 2
    rows += [{"x": 1.0, "shop": "a", "y": 1, "time": time} for time in far]
    spec = table(columns, rows, window={"start": "2026-01-02", "end": "2026-01-04"})
    told = []
    for window in (DAY, Window(DAY.end, DAY.end + timedelta(days=1))):
        outside = Outside()
        try:
            assert sum(batch.num_rows for batch in batches(spec, window, outside=outside)) == 2
        except SourceError as error:
            assert "holds no row" in str(error)  # noqa: PT017
        told.append([int(line.partition(" ")[0]) for line in outside.told])
    assert told == [[2, 1], [1, 1]]


def test_a_value_of_another_kind_than_its_column_is_named_and_not_shown(
    tmp_path: Path, spec: Spec, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sqlite3

    with sqlite3.connect(tmp_path / "rows.db") as link:
        link.execute("create table rows (time timestamp, id integer, x real, z real, y integer)")
        link.execute("insert into rows values ('2026-01-02 10:00', 1, 'secret', 1, 1)")
    link.close()
    monkeypatch.setenv("ROWS", f"sqlite:///{tmp_path / 'rows.db'}")
    this = spec(source={"path": None, "table": "rows", "database": "ROWS"})
    with pytest.raises(SourceError, match="table rows: column 'x' is REAL, and holds") as caught:
        list(batches(this, DAY))
    assert "secret" not in str(caught.value)


def test_a_view_of_sqlite_without_types_is_read_as_what_the_spec_says(
    tmp_path: Path, spec: Spec, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sqlite3

    with sqlite3.connect(tmp_path / "rows.db") as link:
        link.execute("create table base (t, i, a, s, y)")
        many = [("2026-01-02 10:00", i, None, None, None) for i in range(PART + 1)]
        link.executemany("insert into base values (?, ?, ?, ?, ?)", many)
        link.execute("insert into base values ('2026-01-02 11:00', 99999, 1, 7, 1)")
        link.execute(
            "create view rows as select t || '' as time, i + 0 as id, a + 0.5 as x, s + 0 as shop, "
            "y + 0 as y from base"
        )
    link.close()
    monkeypatch.setenv("ROWS", f"sqlite:///{tmp_path / 'rows.db'}")
    this = spec(
        source={"path": None, "table": "rows", "database": "ROWS"},
        features={"numeric": ["x"], "categorical": ["shop"]},
    )
    found = list(batches(this, DAY))
    assert len({batch.schema for batch in found}) == 1
    last = found[-1].slice(found[-1].num_rows - 1).to_pylist()[0]
    assert (last["x"], last["shop"]) == (1.5, "7")
    assert class_indices(this, found[-1])[-1] == 1
