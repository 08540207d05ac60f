"""A version for others: fetched from a real MLflow, and loaded only if somebody accepted it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa
from typer.testing import CliRunner, Result

from tasks.__main__ import app
from tasks.audit.verified_model import model_of
from tasks.classifier import scoring
from tasks.flows import rollback
from tasks.ledger.chain import LedgerRefused
from tasks.ledger.ledger import Ledger
from tasks.ledger.records import NoSuchVersion
from tasks.registry import promotion_record, tagged_heads, tracking
from tasks.registry.promotion_record import PromotionRecord, RecordRefused
from tasks.registry.tracking import ModelRefused, RegistryRefused
from tasks.scoring.fetch import FetchRefused, fetch, load_fetched
from tasks.signing import signatures
from tests.support.flow import MODEL, At, rows

TO = Path("champion")
Leave = Callable[[], None]


def run(*words: str) -> Result:
    return CliRunner().invoke(app, ["fetch", "churn", "--to", str(TO), *words])


def tags() -> dict[str, str]:
    return {
        key: value
        for version in tracking.connect().search_model_versions("name = 'churn'")
        for key, value in version.tags.items()
    }


def set_tag(version: int, number: int, text: str) -> None:
    key = f"gatelatch.promotion_record.{number}"
    tagged_heads.keep_tag("churn", version, key, text)


def promote_back() -> None:
    name = rollback.by_hand(
        MODEL, "back.1", version=1, by="ada", reason="complaints", expected=2
    ).proposal
    rollback.promote_back(MODEL, name)


@pytest.mark.parametrize("ledger", [True, False])
def test_the_champion_is_fetched_and_scores_as_the_monitor_does(
    at: At, without_ledger: Leave, ledger: bool
) -> None:
    at("promoted")
    theirs = model_of(MODEL, Ledger.open(), 2)
    if not ledger:
        without_ledger()
    done = run()
    assert (done.exit_code, done.stderr) == (0, "")
    held = "the ledger" if ledger else "its signed promotion record"
    assert done.stdout.startswith(f"churn version 2 is in champion, held against {held}: artifact")
    found = load_fetched(TO)
    import pandas as pd

    frame = pd.DataFrame({"x": rows(12)["x"], "z": rows(12)["z"]})
    assert (found.version, found.promotion, found.classes) == (2, 2, (0, 1))
    decision = found.decision_function(frame)
    assert decision.tolist() == scoring.decision_values(theirs, frame).tolist()
    assert np.abs(found.predict_proba(frame) - theirs.predict_proba(frame)).max() < 1e-12
    assert found.predict(frame).tolist() == (decision > 0).astype(int).tolist()


def test_a_fetch_without_the_ledger_takes_the_newest_promotion_whatever_the_alias_says(
    at: At, without_ledger: Leave
) -> None:
    at("promoted")
    client = tracking.connect()
    without_ledger()
    client.set_registered_model_alias("churn", "champion", "1")
    assert fetch("churn", to=TO).version == 2
    assert fetch("churn", 1, to="first").promotion == 1


def test_after_a_rollback_the_earlier_version_is_champion_again(
    at: At, without_ledger: Leave
) -> None:
    at("promoted")
    assert fetch("churn", to=TO).version == 2
    promote_back()
    without_ledger()
    found = fetch("churn", to=TO)
    assert (found.version, found.promotion) == (1, 3)
    assert load_fetched(TO).version == 1


def test_a_challenger_is_fetched_with_the_ledger_alone(at: At, without_ledger: Leave) -> None:
    at("bootstrapped")
    assert "has no challenger" in run("--version", "challenger").stderr
    at("registered")
    assert fetch("churn", "challenger", to=TO).version == 2
    assert load_fetched(TO).promotion is None
    without_ledger()
    assert "was not promoted" in run("--version", "challenger").stderr
    with pytest.raises(FetchRefused, match="came without a promotion record"):
        load_fetched(TO)
    with pytest.raises(FetchRefused, match="no promotion record of version 2 of churn"):
        fetch("churn", 2, to="other")


def test_what_does_not_exist_is_named_and_nothing_is_written(at: At, without_ledger: Leave) -> None:
    at("promoted")
    with pytest.raises(NoSuchVersion, match="has no version 9"):
        fetch("churn", 9, to=TO)
    with pytest.raises(FetchRefused, match="has no champion in the ledger"):
        fetch("absent", to=TO)
    assert run("--version", "newest").exit_code == 1
    without_ledger()
    with pytest.raises(FetchRefused, match="no promotion record of absent"):
        fetch("absent", to=TO)
    assert not TO.exists()
    with pytest.raises(FetchRefused, match="holds no fetched model"):
        load_fetched(TO)


def test_files_that_were_changed_in_mlflow_are_refused(at: At, without_ledger: Leave) -> None:
    at("promoted")
    source = Path(tracking.connect().get_model_version_download_uri("churn", "2"))
    shutil.copy(Path(str(source).removeprefix("file:")) / "MLmodel", "kept")
    with (Path(str(source).removeprefix("file:")) / "MLmodel").open("a") as file:
        file.write("\n")
    try:
        for leave in (lambda: None, without_ledger):
            leave()
            with pytest.raises(ModelRefused, match="MLmodel was changed"):
                fetch("churn", to=TO)
            assert not TO.exists()
    finally:
        shutil.copy("kept", Path(str(source).removeprefix("file:")) / "MLmodel")


def test_another_signed_version_under_the_champions_number_is_refused(
    at: At, without_ledger: Leave
) -> None:
    at("promoted")
    url = sa.create_engine(tracking.connect().tracking_uri)
    with url.begin() as link:  # who owns MLflow's database lets version 2 be the files of 1
        first = link.execute(sa.text("select storage_location from model_versions where version=1"))
        place = first.scalar_one()
        link.execute(
            sa.text(
                "update model_versions set source = :p, storage_location = :p where version = 2"
            ),
            {"p": place},
        )
    url.dispose()
    without_ledger()
    with pytest.raises(ModelRefused, match="another candidate than the accepted one"):
        fetch("churn", to=TO)


def forged() -> str:
    record = {
        "schema": "gatelatch.promotion/1",
        "model": "churn",
        "number": 3,
        "version": 1,
        "artifact_digest": "0" * 64,
        "effective_from": "2026-01-11T00:00:00+00:00",
    }
    kept = json.loads(tags()["gatelatch.promotion_record.2"])
    return json.dumps({**kept, "record": json.dumps(record)})


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (forged, "no trusted key signed it"),
        (lambda: "garbage", "it is no signed record"),
        (lambda: json.dumps({"record": "{}", "signature": "*"}), "it is no signed record"),
        (lambda: tags()["gatelatch.promotion_record.2"], "was signed as record 2 of version 2"),
    ],
)
def test_a_record_that_nobody_signed_for_this_promotion_is_refused(
    at: At, without_ledger: Leave, text: Callable[[], str], why: str
) -> None:
    at("promoted")
    set_tag(1, 3, text())
    without_ledger()
    with pytest.raises(RecordRefused, match=why):
        fetch("churn", to=TO)


def test_a_record_of_another_release_is_named(at: At, without_ledger: Leave) -> None:
    at("promoted")
    content = json.dumps({"schema": "gatelatch.promotion/2"})
    sealed = PromotionRecord(
        model="churn", number=3, version=2, artifact_digest="", effective_from=""
    ).sealed()
    import base64

    made = signatures.seal_content(content.encode(), "promotion/churn")
    outer = {**json.loads(sealed), "record": content, "signature": base64.b64encode(made).decode()}
    set_tag(2, 3, json.dumps(outer))
    without_ledger()
    with pytest.raises(RecordRefused, match="another release of Gatelatch wrote it"):
        fetch("churn", to=TO)


def test_a_promotion_that_was_taken_away_in_mlflow_leaves_the_folder_where_it_was(
    at: At, without_ledger: Leave
) -> None:
    at("promoted")
    without_ledger()
    assert fetch("churn", to=TO).version == 2
    tracking.connect().delete_model_version_tag("churn", "2", "gatelatch.promotion_record.2")
    with pytest.raises(FetchRefused, match=r"holds promotion 2 .* offers promotion 1"):
        fetch("churn", to=TO)
    assert load_fetched(TO).version == 2


@pytest.mark.parametrize("ledger", [True, False])
@pytest.mark.parametrize("name", ["model.skops", "MLmodel", "lineage.json"])
def test_a_fetched_folder_that_was_changed_is_not_loaded_and_fetched_anew(
    at: At, without_ledger: Leave, ledger: bool, name: str
) -> None:
    at("promoted")
    if not ledger:
        without_ledger()
    fetch("churn", to=TO)
    (path,) = TO.glob(f"v2-*/{name}")
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(FetchRefused, match=f"{name} was changed; fetch it again"):
        load_fetched(TO)
    assert fetch("churn", to=TO).version == 2
    assert load_fetched(TO).version == 2


def test_a_pointer_to_another_signed_version_is_not_believed(at: At, without_ledger: Leave) -> None:
    at("registered")  # version 2 is signed, and was never promoted
    fetch("churn", 2, to="second")
    challenger = json.loads(Path("second/fetched.json").read_text())
    without_ledger()
    fetch("churn", to=TO)
    pointer = json.loads((TO / "fetched.json").read_text())
    shutil.copytree(next(Path("second").glob("v2-*")), TO / next(Path("second").glob("v2-*")).name)
    lie = {**challenger, "promotion": 1, "record": pointer["record"]}
    (TO / "fetched.json").write_text(json.dumps(lie))
    assert load_fetched(TO).version == 1


def test_a_folder_of_another_model_or_without_sense_is_named(at: At) -> None:
    at("promoted")
    fetch("churn", to=TO)
    pointer = json.loads((TO / "fetched.json").read_text())
    (TO / "fetched.json").write_text(json.dumps({**pointer, "model": "other"}))
    assert "holds other; name another folder" in run().stderr
    (TO / "fetched.json").write_text("{")
    assert "cannot be read; remove champion and fetch again" in run().stderr
    (TO / "fetched.json").write_text(json.dumps({**pointer, "format": 2}))
    assert "a newer Gatelatch wrote it" in run().stderr


def test_a_folder_keeps_the_version_before_and_no_older_one(at: At) -> None:
    at("promoted")
    for version in (1, 2, 1, 2):
        fetch("churn", version, to=TO)
    assert sorted(path.name[:3] for path in TO.iterdir()) == ["fet", "v1-", "v2-"]
    (TO / "v0-000000000000").mkdir()
    fetch("churn", 1, to=TO)
    assert sorted(path.name[:3] for path in TO.iterdir()) == ["fet", "v1-", "v2-"]


def test_a_broken_ledger_is_no_reason_to_believe_mlflow(at: At, stores: Path) -> None:
    at("promoted")
    engine = sa.create_engine(f"sqlite:///{Path.cwd() / 'ledger.db'}")
    with engine.begin() as link:
        link.execute(sa.text("drop trigger if exists promotions_update"))
        for (name,) in link.execute(
            sa.text("select name from sqlite_master where type='trigger'")
        ).all():
            link.execute(sa.text(f"drop trigger {name}"))
        link.execute(sa.text("update promotions set version = 1 where number = 2"))
    engine.dispose()
    with pytest.raises(LedgerRefused):
        fetch("churn", to=TO)


def test_init_writes_the_records_of_promotions_that_have_none(
    at: At, without_ledger: Leave
) -> None:
    at("promoted")
    client = tracking.connect()
    for number in (1, 2):
        client.delete_model_version_tag(
            "churn", str(number), f"gatelatch.promotion_record.{number}"
        )
    done = CliRunner().invoke(app, ["init"])
    assert (done.exit_code, done.stderr) == (0, "")
    without_ledger()
    assert fetch("churn", to=TO).promotion == 2


def test_a_record_that_holds_is_written_once(at: At) -> None:
    at("promoted")
    before = tags()
    assert CliRunner().invoke(app, ["init"]).exit_code == 0
    assert tags() == before
    set_tag(2, 2, "garbage")
    assert CliRunner().invoke(app, ["init"]).exit_code == 0
    assert promotion_record.read_record("churn", tags()["gatelatch.promotion_record.2"]).number == 2


def test_without_any_key_nothing_is_loaded(at: At, monkeypatch: pytest.MonkeyPatch) -> None:
    at("promoted")
    monkeypatch.setenv("GATELATCH_VERIFY_KEY", "absent.pub")
    assert "no key to verify with" in run().stderr


def test_an_mlflow_without_the_version_is_named(at: At) -> None:
    at("promoted")
    tracking.connect().delete_model_version("churn", "2")
    with pytest.raises(RegistryRefused, match="churn version 2 cannot be fetched"):
        fetch("churn", to=TO)
