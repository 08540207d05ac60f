"""One version number, from one place, wherever people and programs look for it."""

from __future__ import annotations

import tomllib
from pathlib import Path

from typer.testing import CliRunner

from tasks import __version__
from tasks.__main__ import app
from tasks.registry.made_with import made_with
from tasks.reports.brief_page import as_page

ROOT = Path(__file__).parent.parent


def test_the_package_takes_its_version_from_the_code() -> None:
    package = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert "version" not in package["project"]
    assert package["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "tasks.__version__"}


def test_the_version_is_printed_written_into_lineage_and_shown_on_pages() -> None:
    done = CliRunner().invoke(app, ["--version"])
    assert (done.exit_code, done.stdout) == (0, f"gatelatch {__version__}\n")
    assert made_with().code == __version__
    assert f"Gatelatch {__version__}</p>\n</body>" in as_page("title", "body")


def test_the_change_log_begins_with_this_version() -> None:
    headings = [
        line for line in (ROOT / "CHANGELOG.md").read_text().splitlines() if line.startswith("## ")
    ]
    assert headings[0].startswith(f"## [{__version__}]")
