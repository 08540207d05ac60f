"""The command `python -m tasks options`: what a model spec may say."""

from __future__ import annotations

from tasks.spec import spec_files


def options() -> None:
    """Print every option of a model spec with its default and meaning, as a Markdown table."""
    print("| option | default | meaning |\n| --- | --- | --- |")
    for path, default, meaning in spec_files.options():
        print(f"| `{path}` | {default} | {meaning} |")
