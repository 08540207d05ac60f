"""The rooms of `tasks`: drawn from the import contract and from what is really imported.

`python -m ops.rooms` prints the picture, `--table` the rooms one by one. `--write` puts both where
the README and docs/architecture.md keep them.
"""

from __future__ import annotations

import ast
import sys
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PICTURE = ROOT / "docs/architecture.md", "<!-- python -m ops.rooms -->\n"
TABLE = ROOT / "README.md", "<!-- python -m ops.rooms --table -->\n"
END = "<!-- end -->"
FLAT = "flat"


def order() -> list[str]:
    """Return the rooms from the lowest to the highest, as the contract in pyproject.toml has them.

    The modules that are no room, all below the rooms, count as one: `flat`.
    """
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    (contract,) = settings["tool"]["importlinter"]["contracts"]
    return [FLAT, *(layer for layer in reversed(contract["layers"]) if _package(layer).exists())]


def job(room: str) -> str:
    """Return the one job of a room: the first sentence of its docstring."""
    if room == FLAT:
        return ", ".join(f"{m}.py" for m in _modules())
    told = ast.get_docstring(ast.parse(_package(room).read_text())) or ""
    return " ".join(told.partition("\n\n")[0].split())


def imports() -> dict[str, set[str]]:
    """Return which rooms each room imports, typing imports included."""
    import grimp

    graph = grimp.build_graph("tasks", cache_dir=None)
    rooms = order()
    found: dict[str, set[str]] = {room: set() for room in rooms}
    for module in graph.modules:
        for imported in graph.find_modules_directly_imported_by(module):
            above, below = _room(module), _room(imported)
            if above in found and below in found and above != below:
                found[above].add(below)
    return found


def reduced(direct: Mapping[str, set[str]], rooms: Sequence[str]) -> dict[str, set[str]]:
    """Return the arrows without those that others imply: a → c goes where a → b → c is.

    `rooms` are in order, the lowest first. An arrow that goes up is against the contract: it stays.
    """
    reached: dict[str, set[str]] = {}
    kept: dict[str, set[str]] = {}
    for place, room in enumerate(rooms):
        below = direct[room] & set(rooms[:place])
        implied = {far for near in below for far in reached[near]}
        reached[room] = below | implied
        kept[room] = direct[room] - implied
    return kept


def picture() -> str:
    """Return the rooms as a mermaid flowchart in Markdown."""
    rooms = order()
    arrows = reduced(imports(), rooms)
    lines = ["```mermaid", "flowchart TB"]
    for room in reversed(rooms):
        lines.append(f'  {room}["<b>{room}</b><br/>{job(room).replace("`", "")}"]')
    for room in reversed(rooms):
        lines += [f"  {room} --> {b}" for b in sorted(arrows[room], key=rooms.index, reverse=True)]
    return "\n".join([*lines, "```", ""])


def table() -> str:
    """Return the rooms as a Markdown table, the lowest first."""
    rows = [f"| [`{room}`](tasks/{room}) | {job(room)} |" for room in order() if room != FLAT]
    files = ", ".join(f"[`{name}.py`](tasks/{name}.py)" for name in _modules())
    first = f"| {files} | What imports no room. |"
    return "\n".join(["| room | its one job |", "| --- | --- |", first, *rows, ""])


def write() -> None:
    """Put picture and table where the pages keep them."""
    for (page, start), text in ((PICTURE, picture()), (TABLE, table())):
        before, _, rest = page.read_text().partition(start)
        page.write_text(before + start + text + END + rest.partition(END)[2])


def _package(room: str) -> Path:
    return ROOT / "tasks" / room / "__init__.py"


def _modules() -> list[str]:
    return sorted(path.stem for path in (ROOT / "tasks").glob("[!_]*.py"))


def _room(module: str) -> str:
    parts = module.split(".")
    name = parts[1] if len(parts) > 1 else ""
    return FLAT if name in _modules() else name


if __name__ == "__main__":
    if "--write" in sys.argv:
        write()
    else:
        print(table() if "--table" in sys.argv else picture(), end="")
