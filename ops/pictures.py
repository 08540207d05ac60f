"""The pictures of a terminal in the README: `python -m ops.pictures`, after `make demo`.

They are what `status` and `replay` print on a terminal of 80 columns, drawn by rich.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import wrap
from typing import Annotated

import typer
from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

from ops import stack_settings

STATUS = ("status", "electricity", "--windows", "8")
REPLAY = (
    "replay",
    *("--data", "data/electricity.parquet", "--time", "timestamp", "--label", "price_up"),
    *("--window", "7d", "--first", "140d"),
)
# Dark on white, with colours that keep a contrast of 4.5 and more.
_THEME = TerminalTheme(
    (255, 255, 255),
    (36, 41, 47),
    [
        (36, 41, 47),
        (190, 30, 40),
        (20, 115, 50),
        (140, 90, 0),
        (9, 90, 200),
        (130, 60, 180),
        (20, 110, 120),
        (90, 98, 106),
    ],
)
# rich's own picture asks a server for its font; this one takes what the reader has.
_FORMAT = """\
<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<title>what the command prints</title>
<style>
.{unique_id}-matrix {{
  font-family: ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace;
  font-size: {char_height}px; line-height: {line_height}px;
}}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/>
</clipPath>
{lines}
</defs>
<rect fill="#ffffff" stroke="#d0d7de" stroke-width="2" width="100%" height="100%" rx="8"/>
<g transform="translate({terminal_x}, 20)" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


def main(
    home: Annotated[Path, typer.Option(help="of the demo, for the picture of status")] = (
        stack_settings.ROOT / ".run" / "demo"
    ),
    into: Annotated[Path, typer.Option(help="folder of the pictures")] = stack_settings.ROOT
    / "docs",
) -> None:
    """Draw status.svg from the demo's ledger, and replay-terminal.svg from the file of its rows."""
    home = home.resolve()
    environment = stack_settings.environment(home, stack_settings.settings_of(home))
    draw(STATUS, into / "status.svg", environment)
    draw(REPLAY, into / "replay-terminal.svg", environment)


def draw(words: Sequence[str], path: Path, environment: Mapping[str, str]) -> None:
    """Draw what a command prints on a terminal of 80 columns, without what it says of its course.

    Raises
    ------
    subprocess.CalledProcessError
        If the command fails.
    """
    terminal = {"COLUMNS": "80", "FORCE_COLOR": "1", "TERM": "xterm"}
    command = [sys.executable, "-m", "tasks", *words]
    done = subprocess.run(
        command,
        cwd=stack_settings.ROOT,
        env={**environment, **terminal},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    first, *more = (f"\x1b[1m{line}\x1b[0m" for line in _typed(words))
    with open(os.devnull, "w") as nowhere:
        console = Console(width=80, record=True, file=nowhere, color_system="standard")
        console.print(Text.from_ansi("\n".join([first, *more, "", done.stdout.rstrip()])))
    svg = console.export_svg(theme=_THEME, code_format=_FORMAT, unique_id="terminal")
    path.write_text(re.sub(r"[ \t]+$", "", svg, flags=re.MULTILINE))


def _typed(words: Sequence[str]) -> list[str]:
    """Return a command as one types it, in lines that fit."""
    return wrap(
        f"$ python -m tasks {' '.join(words)}",
        76,
        subsequent_indent="    ",
        break_on_hyphens=False,
    )


if __name__ == "__main__":
    typer.run(main)
