"""The tools of Prometheus and Alertmanager, which say whether what they are given is right."""

from __future__ import annotations

import shutil
import subprocess

import pytest

PACKAGES = {
    "prometheus": "prometheus",
    "promtool": "prometheus",
    "amtool": "prometheus-alertmanager",
}


def found(tool: str) -> str:
    """Return where a tool is; the test is skipped where it is not on PATH."""
    path = shutil.which(tool)
    if path is None:
        pytest.skip(f"{tool} is not on PATH: it is in Debian's package {PACKAGES[tool]}")
    return path


def tool_says(tool: str, *arguments: str, given: str | None = None) -> tuple[int, str]:
    """Return with what code a tool ends, and all that it says."""
    command = [found(tool), *arguments]
    done = subprocess.run(command, input=given, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def promtool_says(page: str) -> str:
    """Return what `promtool check metrics` finds wrong with a page; empty if nothing."""
    code, said = tool_says("promtool", "check", "metrics", given=page)
    return said + (f"ended with {code}" * bool(code))
