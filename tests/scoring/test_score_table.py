"""Scores in a SQL table: all of a window's or none, and read back as they were written."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import sqlalchemy as sa

from tasks.data import score_table
from tasks.data.readers import SourceError
from tasks.disk import Unusable
from tasks.flows import monitor, score
from tasks.flows.measure import measure
from tasks.flows.score import ChampionChanged, ScoredOtherwise
from tasks.flows.scored_windows import NotYetScored
from tasks.ledger.records import Observation
from tasks.scoring import scorer
from tasks.scoring.score_sinks import sink_of
from tasks.scoring.score_table_sink import NotWritten, ScoredMeanwhile
from tasks.scoring.score_window import ScoresRefused
from tasks.spec.model import ModelSpec
from tests.conftest import database_in_postgres
from tests.support.flow import FIRST, At, land, promote, rows, window
from tests.support.scored import SCORED

FILES = ModelSpec.model_validate(SCORED)
TABLE = ModelSpec.model_validate(
    {**SCORED, "scoring": {"table": "scores", "database": "CHURN_SCORES"}}
)
NAMES = ["scored_window", "promotion", "id", "time", "f", "probability", "decision", "model"]


IN_POSTGRES = pytest.mark.parametrize("database", ["postgresql"], indirect=True)


@pytest.fixture(params=["sqlite", "postgresql"])
def database(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[sa.Engine]:
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'scores.db'}"
        monkeypatch.setenv("CHURN_SCORES", url)
        yield sa.create_engine(url)
        return
    with database_in_postgres("scores", "psycopg") as url:
        monkeypatch.setenv("CHURN_SCORES", url)
        engine = sa.create_engine(url)
        yield engine
        engine.dispose()


def said(engine: sa.Engine, query: str) -> list[Any]:
    with engine.connect() as link:
        return [*map(tuple, link.execute(sa.text(query)))]


def do(engine: sa.Engine, *statements: str) -> None:
    with engine.begin() as link:
        for statement in statements:
            link.execute(sa.text(statement))


def observed(spec: ModelSpec, number: int) -> Observation:
    validated = monitor.validate(spec, window(number))
    return monitor.judge(spec, window(number), measure(spec, window(number), validated))


def test_a_window_is_scored_once_and_the_monitor_reads_what_it_would_read_in_files(
    at: At, database: sa.Engine
) -> None:
    at("promoted")
    with pytest.raises(NotYetScored, match=r"run score\.churn"):
        monitor.validate(TABLE, window(12))
    by_files = score.score_once(FILES, window(12))
    first = score.score_once(TABLE, window(12))
    assert (first.written, first.place) == (
        True,
        "table scores (scored_window 20260112T0000, promotion 2)",
    )
    assert first.manifest == by_files.manifest
    second = score.score_once(TABLE, window(12))
    assert (second.written, second.manifest) == (False, first.manifest)
    table = sa.Table("scores", sa.MetaData(), autoload_with=database)
    assert list(table.c.keys()) == NAMES
    counted = "select scored_window, promotion, count(*) from scores group by 1, 2"
    assert said(database, counted) == [("20260112T0000", 2, 300)]
    files, read = observed(FILES, 12), observed(TABLE, 12)
    assert read.data_digest == files.data_digest
    assert replace(read.numbers, report=None) == replace(files.numbers, report=None)
    assert (read.verdict, read.pressure) == (files.verdict, files.pressure)


def test_other_rows_are_named_and_take_the_place_of_the_others_only_on_request(
    at: At, database: sa.Engine
) -> None:
    at("promoted")
    first = score.score_once(TABLE, window(12))
    score.score_once(TABLE, window(11))
    before = said(database, "select id, f from scores order by id")
    land(12, x=-rows(12)["x"])
    with pytest.raises(ScoredOtherwise, match=f"table scores .*{first.manifest.data_digest}"):
        score.score_once(TABLE, window(12))
    assert said(database, "select id, f from scores order by id") == before
    assert score.score_once(TABLE, window(12), again=True).written
    assert not score.score_once(TABLE, window(12)).written
    assert said(database, "select id, f from scores order by id") != before
    assert said(database, "select count(*), count(distinct id) from scores") == [(600, 600)]


def test_a_champion_that_changes_in_mid_window_leaves_no_row(
    at: At, database: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    at("registered")
    really = scorer.need_finite

    def promoting(decision: Any) -> None:
        monkeypatch.setattr(scorer, "need_finite", really)
        promote(FIRST)
        really(decision)

    monkeypatch.setattr(scorer, "need_finite", promoting)
    with pytest.raises(ChampionChanged, match=r"version 2 became champion .* while version 1"):
        score.score_once(TABLE, window(11))
    assert said(database, "select * from scores") == []
    assert said(database, "select * from scores_manifests") == []
    assert score.score_once(TABLE, window(11)).manifest.version == 2


def test_a_manifest_that_no_worker_signed_is_neither_taken_nor_replaced(
    at: At, database: sa.Engine
) -> None:
    at("promoted")
    score.score_once(TABLE, window(12))
    do(database, "update scores_manifests set manifest = replace(manifest, '300', '301')")
    for read in (
        lambda: score.score_once(TABLE, window(12), again=True),
        lambda: monitor.validate(TABLE, window(12)),
    ):
        with pytest.raises(ScoresRefused, match=r"table scores .* no trusted key signed"):
            read()
    assert "301" in said(database, "select manifest from scores_manifests")[0][0]


def scores(count: int = 3) -> pa.Table:
    return pa.table(
        {
            "id": [f"secret {i}" for i in range(count)],
            "time": pa.array(np.arange(count), pa.timestamp("us", "UTC")),
            "f": np.arange(count) / 7,
            "probability": np.full(count, 0.5),
            "decision": np.ones(count, np.int64),
            "model": np.full(count, 2, np.int32),
        }
    )


def write(
    table: pa.Table | None = None,
    *,
    again: bool = False,
    promotion: int = 2,
    meanwhile: Callable[[], None] = lambda: None,
) -> None:
    table = scores() if table is None else table
    with sink_of(TABLE, window(12), promotion, table.schema, again=again) as sink:
        sink.write(table)
        meanwhile()
        sink.write(table.slice(0, 0))
        sink.seal("{}")


def _interrupted() -> None:
    raise KeyboardInterrupt


def test_what_ends_before_the_last_row_leaves_none(database: sa.Engine) -> None:
    write(promotion=1)
    for again in (False, True):
        with pytest.raises(KeyboardInterrupt):
            write(again=again, meanwhile=_interrupted)
    assert said(database, "select distinct promotion from scores") == [(1,)]
    assert score_table.newest_scores(TABLE, window(12)) == 1


def test_of_two_runs_at_once_one_writes_and_the_other_is_told(database: sa.Engine) -> None:
    write(promotion=1)  # the tables are there
    found: list[BaseException] = []

    def other() -> None:
        try:
            write()
        except ScoredMeanwhile as error:
            found.append(error)

    thread = threading.Thread(target=other)
    with sink_of(TABLE, window(12), 2, scores().schema, again=False) as sink:
        sink.write(scores())
        thread.start()
        thread.join(1)
        assert thread.is_alive()  # it waits
        sink.seal("{}")
    thread.join(60)
    assert "run this again" in str(found[0])
    assert said(database, "select count(*) from scores where promotion = 2") == [(3,)]


def test_who_makes_the_tables_at_once_finds_them_made(database: sa.Engine) -> None:
    runs = [threading.Thread(target=write, kwargs={"promotion": n}) for n in range(1, 5)]
    for run in runs:
        run.start()
    for run in runs:
        run.join(60)
    assert said(database, "select promotion, count(*) from scores group by 1 order by 1") == [
        (number, 3) for number in range(1, 5)
    ]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ("alter table scores drop column probability", "has no column 'probability'"),
        ("drop table scores; create table scores (id int)", "has no column 'scored_window'"),
        ("drop table scores_manifests; create table scores_manifests (a int)", "has no column"),
    ],
)
def test_a_table_that_cannot_hold_the_scores_is_named_by_its_column(
    database: sa.Engine, change: str, why: str
) -> None:
    write(promotion=1)
    do(database, *change.split(";"))
    with pytest.raises(NotWritten, match=r"table scores.*\(scoring\.table\)") as told:
        write()
    assert why in str(told.value)
    assert "another scoring.table" in str(told.value)


@IN_POSTGRES  # SQLite adds no such column to a table
def test_a_column_of_others_that_must_have_a_value_is_named(database: sa.Engine) -> None:
    write(promotion=1)
    do(
        database,
        "delete from scores",
        "alter table scores add column region text not null",
    )
    with pytest.raises(NotWritten, match="'region' must have a value"):
        write()


@pytest.mark.parametrize(
    ("column", "kind", "why"),
    [
        ("f", "real", "column 'f' is REAL, and the scores need DOUBLE PRECISION"),
        ("model", "smallint", "is SMALLINT, and the scores need INTEGER"),
        ("decision", "integer", "is INTEGER, and the scores need BIGINT"),
        ("id", "bytea using id::bytea", "is BYTEA, and the scores need TEXT"),
        ("time", "timestamp", "is TIMESTAMP WITHOUT TIME ZONE, and the scores need TIMESTAMP WITH"),
    ],
)
@IN_POSTGRES  # a column of SQLite takes any value as it is
def test_a_column_that_would_lose_digits_is_refused(
    database: sa.Engine, column: str, kind: str, why: str
) -> None:
    write(promotion=1)
    do(database, f"alter table scores alter column {column} type {kind}")
    with pytest.raises(NotWritten, match=why):
        write()


def test_a_rule_of_the_table_that_refuses_a_row_quotes_none(database: sa.Engine) -> None:
    write(promotion=1)
    do(database, "create unique index one on scores (id)")
    with pytest.raises(NotWritten, match=r"cannot be written \(\w+\); look at the table's") as told:
        write()
    assert "secret" not in str(told.value)
    assert said(database, "select distinct promotion from scores") == [(1,)]


def test_a_database_that_is_away_or_not_named_is_told_with_its_option(
    database: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = {
        "sqlite": "sqlite:////no/such/folder/scores.db",
        "postgresql": "postgresql+psycopg://postgres:hidden@127.0.0.1:9/none",
    }[database.dialect.name]
    monkeypatch.setenv("CHURN_SCORES", away)
    with pytest.raises(Unusable, match=r"\(scoring\.table\) cannot be written") as told:
        write()
    assert "hidden" not in str(told.value)
    with pytest.raises(SourceError, match="table scores cannot be read"):
        score_table.newest_scores(TABLE, window(12))
    monkeypatch.setenv("CHURN_SCORES", "nonsense")
    with pytest.raises(NotWritten, match=r"scoring\.database: CHURN_SCORES is no address"):
        write()
    monkeypatch.delenv("CHURN_SCORES")
    with pytest.raises(NotWritten, match=r"scoring\.database: the environment variable CHURN_SC"):
        write()
    with pytest.raises(SourceError, match=r"scoring\.database: the environment variable CHURN_SC"):
        score_table.newest_scores(TABLE, window(12))


@IN_POSTGRES  # SQLite has no connection that somebody else could end
def test_a_connection_that_dies_in_the_middle_leaves_nothing(database: sa.Engine) -> None:
    write(promotion=1)
    others = "pid <> pg_backend_pid() and datname = current_database() and state like 'idle in%'"
    ended = f"select pg_terminate_backend(pid) from pg_stat_activity where {others}"
    with pytest.raises(Unusable, match=r"\(scoring\.table\) cannot be written"):
        write(meanwhile=lambda: do(database, ended))
    assert said(database, "select distinct promotion from scores") == [(1,)]


def test_times_with_nanoseconds_are_refused_rather_than_cut_off(database: sa.Engine) -> None:
    fine = scores().set_column(1, "time", pa.array([1, 2, 3], pa.timestamp("ns", "UTC")))
    with pytest.raises(NotWritten, match="keeps microseconds; write the scores to files"):
        write(fine)
    assert score_table.newest_scores(TABLE, window(12)) is None
