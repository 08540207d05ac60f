"""What the documentation says is what the code does."""

from __future__ import annotations

import re
from pathlib import Path

from typer.testing import CliRunner

from tasks.__main__ import app

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()


def test_the_readme_lists_every_option_as_the_command_prints_them() -> None:
    listed = README.partition("<!-- python -m tasks options -->\n")[2].partition("<!-- end -->")[0]
    assert listed == CliRunner().invoke(app, ["options"]).stdout


def test_every_relative_link_in_the_docs_leads_somewhere() -> None:
    for page in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("data/*.md")):
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_readme_says_where_each_file_of_the_tasks_is() -> None:
    table = README.partition("## Where things are")[2].partition("\n## ")[0]
    files = {path.stem for path in (ROOT / "tasks").glob("[!_]*.py")}
    assert set(re.findall(r"`(\w+)`", table)) == files


def test_every_make_target_that_the_readme_names_exists() -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert set(re.findall(r"make ([a-z]+)", README)) - {"and"} <= set(targets)
