"""An address names one window under one version at one revision, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tasks.views import addresses
from tests.support.stood import seen


def test_the_name_of_a_window_is_read_back_as_that_window_alone() -> None:
    one = seen(3, version=12, revision=2)
    name = addresses.parsed(addresses.window_name(one))
    assert name is not None
    assert name.fits(one)
    assert not name.fits(replace(one, version=1))
    assert not name.fits(replace(one, revision=0))
    assert not name.fits(seen(4, version=12, revision=2))


def test_without_a_version_any_word_on_the_window_fits() -> None:
    name = addresses.parsed("20260112T0000")
    assert name is not None
    assert name.fits(seen(3, version=7))


@pytest.mark.parametrize(
    "name", ["", "..", "20260112", "20260112T0000.v1", "x.v1.0", "٢0260112T0000.v1.0"]
)
def test_what_is_no_name_of_a_window_is_none(name: str) -> None:
    assert addresses.parsed(name) is None


def test_a_brief_is_where_it_was_published() -> None:
    assert addresses.brief("churn", "churn.v1.20260112T0000.1", "promote") == (
        "churn/churn.v1.20260112T0000.1/promotion.html"
    )
