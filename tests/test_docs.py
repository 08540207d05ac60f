"""What the documentation says is what the code does, and every link leads somewhere."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()
PAGES = (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("data/*.md"))


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}


def test_every_relative_link_in_the_docs_leads_somewhere() -> None:
    for page in PAGES:
        text = page.read_text()
        for target, anchor in re.findall(r"\]\(([^)#:]*)(?:#([^)]+))?\)", text):
            there = page.parent / target if target else page
            assert there.exists(), f"{page.name}: {target}"
            assert not anchor or anchor in anchors(there), f"{page.name}: {target}#{anchor}"
        for target in re.findall(r'src="([^"]+)"', text):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_every_make_target_that_the_readme_names_exists() -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert set(re.findall(r"[`$] ?make ([a-z-]+)", README)) <= set(targets)


def test_each_row_of_a_table_has_the_cells_of_its_heading() -> None:
    for page in PAGES:
        text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
        for table in re.findall(r"(?:^ *\|.*\n)+", text, re.MULTILINE):
            cells = [len(re.findall(r"(?<!\\)\|", row)) for row in table.splitlines()]
            wrong = [row for row, n in zip(table.splitlines(), cells, strict=True) if n != cells[0]]
            assert not wrong, f"{page.name}: {wrong[0][:80]}"


def test_the_glossary_has_each_word_once_and_in_order() -> None:
    page = (ROOT / "docs/glossary.md").read_text()
    words = [word.lower() for word in re.findall(r"^\| \*\*([^*]+)\*\*", page, re.MULTILINE)]
    assert words == sorted(set(words))


def test_every_file_and_test_that_the_docs_name_exists() -> None:
    tests = ROOT / "tests"
    files = {str(file.relative_to(tests)) for file in tests.rglob("*.py")}
    code = "".join((tests / file).read_text() for file in files)
    for page in PAGES:
        text = page.read_text()
        for file in re.findall(
            r"`((?:benchmarks|dags|ops|plugins|tasks|tests)/[\w/]+\.\w+)`", text
        ):
            assert (ROOT / file).exists(), f"{page.name}: {file}"
        for name in re.findall(r"`(?:tests/)?((?:\w+/)*test_\w+)`", text):
            assert f"{name}.py" in files or f"def {name}(" in code, f"{page.name}: {name}"
