"""A page that is written model by model is the page that the client library writes at once."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.exposition import choose_encoder

from tasks.ledger.reader import ModelRows
from tasks.ledger.status import folded
from tasks.spec.model import ModelSpec
from tasks.views.model_metrics import MetricSample
from tasks.views.written_metrics import END_OF_PAGE, Collected, PageWriter, ShownModel, families_of
from tests.conftest import CHURN

NOTHING = ModelRows(
    observations=[], proposals=[], decisions=[], candidates=[], promotions=[], freezes=[]
)
STATUS = folded(ModelSpec.model_validate(CHURN), NOTHING)

samples = st.lists(
    st.one_of(
        st.builds(
            lambda value: MetricSample("gatelatch_champion_version", (), value), st.floats(0, 9)
        ),
        st.builds(
            lambda owner: MetricSample("gatelatch_model_info", (owner,), 1),
            st.text(st.characters(exclude_categories=["Cs"])),
        ),
    ),
    max_size=3,
)
shown = st.dictionaries(
    st.sampled_from(["a", "b", "ö", '"']),
    st.none() | samples.map(lambda some: ShownModel(STATUS, some)),
)


@pytest.mark.parametrize("accepted", ["", "application/openmetrics-text; version=1.0.0"])
@settings(max_examples=40, deadline=None)
@given(pages=st.lists(shown, min_size=1, max_size=4))
def test_each_page_is_the_one_that_the_library_writes_at_once(
    accepted: str, pages: list[dict[str, ShownModel | None]]
) -> None:
    encoder, _ = choose_encoder(accepted)
    writer = PageWriter(encoder)
    for page in pages:
        expected = encoder(Collected(families_of(page))).removesuffix(END_OF_PAGE)
        assert writer.page(page) == expected
        assert writer.page(page) == expected
