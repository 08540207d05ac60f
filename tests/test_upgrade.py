"""The store of release 0.1, upgraded: what was recorded, approved and asked then goes on now."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from tasks.__main__ import app
from tasks.flows import reproduce
from tasks.ledger import status
from tasks.ledger.chain import Trail
from tasks.ledger.ledger import Ledger
from tasks.ledger.status_json import status_json
from tasks.spec import spec_files
from tests.conftest import database_in_postgres
from tests.support import flow
from tests.upgrade import kept
from tests.upgrade.make_store import ASKED


@pytest.fixture(params=["sqlite", "postgresql"])
def place(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """Return the folder of the stores, upgraded as `python -m tasks init` does it."""
    place = kept.unpack(tmp_path, request.param)
    if request.param == "sqlite":
        url = f"sqlite:///{place / 'ledger.db'}"
        kept.enter(monkeypatch, tmp_path, place, url)
        assert run("init").exit_code == 0
        yield place
        return
    with database_in_postgres("upgrade", "psycopg") as url:
        kept.restore(url, place)
        kept.enter(monkeypatch, tmp_path, place, url)
        assert run("init").exit_code == 0
        yield place
        Ledger.open()._engine.dispose()


def run(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


def trail() -> Trail:
    return Ledger.open().trail("churn")


def test_a_store_of_release_0_1_is_upgraded_and_goes_on(place: Path) -> None:
    spec = spec_files.find("churn")

    # It says what it said, and verifies: chain, signatures, meaning, evidence, heads in MLflow.
    said = json.loads((place / "status.json").read_text())
    now = status_json(status.read(spec, Ledger.open()))
    assert now.pop("frozen") is None  # this and the next two came with 0.2
    assert now.pop("logged_as") is None
    assert now.pop("labels") == {"awaited": [], "overdue": []}
    assert said == {"champion": flow.alias(), **now}
    verified = run("audit", "churn", "--verify", "--json")
    assert verified.exit_code == 0, verified.output
    (unchecked,) = json.loads(verified.stdout)["not_checked"]
    assert unchecked.startswith("whether rows after row 27 were cut off")

    # Its report has the model cards of then.
    told = run("report", "churn", "--from", "2026-01-01", "-o", str(place / "report.html"))
    assert told.exit_code == 0, told.output
    cards = (place / "report.html").read_text().count("Model card, of files whose signature")
    assert cards == len(Ledger.open().candidates("churn"))

    # A window run again is the one of then; a new one is judged by the reference of then.
    before = trail()
    assert flow.watch(13).revision == 0
    assert trail().links == before.links
    seen = flow.watch(14)
    assert (seen.version, seen.verdict, seen.revision) == (2, "drifting", 0)
    assert seen.figures["format"] == 1

    # The version of then can be made again, and the proposal of then is answered and promoted.
    assert reproduce.reproduce(spec, 2).same
    finish()
    (*_, champion) = Ledger.open().promotions("churn")
    assert (champion.version, flow.alias()) == (3, 3)
    assert flow.watch(15).version == 3

    # And back again, to a version of then.
    back = run("rollback", "churn", "--reason", "upgraded", "--by", "ada", "--yes")
    assert back.exit_code == 0, back.output
    assert (flow.alias(), flow.read().champion) == (2, 2)
    assert run("audit", "churn", "--verify").exit_code == 0
    assert trail().links[: len(before.links)] == before.links


def finish() -> dict[str, Any]:
    """Answer what was asked under the old release, and go on to the promotion."""
    assert [p.proposal for p in flow.read().live] == [ASKED]
    flow.register(ASKED)
    flow.promote(ASKED)
    return flow.told()
