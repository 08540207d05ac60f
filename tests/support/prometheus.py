"""Prometheus's own tool, which says whether a page of metrics is as it should be."""

from __future__ import annotations

import shutil
import subprocess

import pytest


def promtool_says(page: str) -> str:
    """Return what `promtool check metrics` finds wrong with a page; empty if nothing."""
    tool = shutil.which("promtool")
    if tool is None:
        pytest.skip("promtool is not on PATH: it is in Debian's package prometheus")
    done = subprocess.run([tool, "check", "metrics"], input=page, capture_output=True, text=True)
    return done.stdout + done.stderr + (f"ended with {done.returncode}" * bool(done.returncode))
