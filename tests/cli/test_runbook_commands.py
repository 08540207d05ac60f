"""Every command of the runbooks runs as it is written there."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.support import flow
from tests.support.sink import Sink, sink
from tests.support.terminal import run

PAGE = Path(__file__).parents[2] / "docs/runbooks.md"
SPEC = {
    **flow.SPEC,
    "slo": {"metric": "hinge_loss", "budget": 0.1, "window": "12w"},
    "notify": {"owners": "ticket"},
}


def commands() -> list[str]:
    """Return each command of ours on the page once, without its remark."""
    found = re.findall(r"^\$ python -m tasks (.*?)(?:  +#.*)?$", PAGE.read_text(), re.MULTILINE)
    return list(dict.fromkeys(found))


@pytest.fixture
def folder(
    stores: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> flow.At:
    at = flow.beginning(tmp_path_factory.getbasetemp() / "stages", stores, monkeypatch)

    def begin(stage: str) -> None:
        at(stage)
        Path("models").mkdir()
        Path("models/churn.yaml").write_text(yaml.safe_dump(SPEC))
        monkeypatch.setenv("GATELATCH_MODELS", "models")

    return begin


@pytest.fixture
def webhook(stores: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sink]:
    with sink() as here:
        (stores / "channels.yaml").write_text(yaml.safe_dump({"owners": here.url}))
        monkeypatch.setenv("GATELATCH_CHANNELS", str(stores / "channels.yaml"))
        yield here


@pytest.mark.parametrize("line", commands())
def test_each_command_of_the_runbooks_runs_as_written(
    folder: flow.At, webhook: Sink, line: str
) -> None:
    words = shlex.split(line)
    folder("registered" if words[0] == "withdraw" else "promoted")
    if words[0] == "thaw":
        assert run("freeze", "churn", "--reason", "a repair", typed="y\n").exit_code == 0
    done = run(*words, typed="y\n")
    assert done.exit_code == 0, done.output
    if "--to-file" in words:
        assert Path(words[-1]).stat().st_size
