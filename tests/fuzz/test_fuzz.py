"""Each reader, tried with changed inputs: read, or refused by an error of ours, and never else.

`python -m tests.fuzz` does the same guided by coverage, for as long as one likes.
"""

from __future__ import annotations

import resource
from collections import Counter
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tasks.data import apart
from tests.fuzz.every import MAKERS, environment_in
from tests.fuzz.target import Fault, Target, nothing_left_in

EXAMPLES = {
    "spec": 150,
    "csv": 200,
    "parquet": 150,
    "join": 12,
    "ledger": 60,
    "answers": 40,
    "reports": 300,
}
MEGABYTES = 1500  # of growth; the libraries are loaded before
SIGNS = [
    b'"',
    b",",
    b"\n",
    b"\0",
    b"null",
    b"1e999",
    b"NaN",
    b"[]",
    b"{}",
    b"-1",
    b"..",
    b"%2e",
    b"/",
    b"\xff\xfe",
    b"99999999999999999999",
    b"\xe2\x80\xae",
    b"::",
    b"\r\n",
    b"{",
    b"[",
]


@st.composite
def changed(draw: st.DrawFn, seeds: list[bytes]) -> bytes:
    """Return a seed in which bytes were changed, cut out, put in or said twice."""
    content = bytearray(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(content)))
        kind = draw(st.sampled_from(["set", "cut", "sign", "bytes", "again"]))
        if kind == "set" and at < len(content):
            content[at] = draw(st.integers(0, 255))
        elif kind == "cut":
            del content[at : at + draw(st.integers(1, 60))]
        elif kind == "sign":
            content[at:at] = draw(st.sampled_from(SIGNS)) * draw(st.sampled_from([1, 1, 200]))
        elif kind == "bytes":
            content[at:at] = draw(st.binary(max_size=8))
        else:
            content[at:at] = content[max(0, at - 40) : at]
    return bytes(content)


@pytest.fixture
def target(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Target]:
    for name, value in environment_in(tmp_path).items():
        if name != "GATELATCH_SIGNING_KEY":  # the tests have one
            monkeypatch.setenv(name, value)
    made = MAKERS[request.param](tmp_path)
    with apart.begun() if made.apart else nullcontext():
        yield made


# Airflow's API imports a client of starlette's that nothing here uses.
@pytest.mark.filterwarnings("ignore:Using `httpx` with `starlette.testclient`")
@pytest.mark.parametrize(("name", "target"), [(n, n) for n in EXAMPLES], indirect=["target"])
def test_whatever_stands_in_an_input_it_is_read_or_refused_by_name(
    name: str, target: Target, capsys: pytest.CaptureFixture[str]
) -> None:
    outcomes: Counter[str] = Counter(target.read(seed) for seed in target.seeds)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    @settings(max_examples=EXAMPLES[name], deadline=None, suppress_health_check=[*HealthCheck])
    @given(content=changed(list(target.seeds)))
    def reads_or_refuses(content: bytes) -> None:
        outcomes[target.read(content)] += 1

    reads_or_refuses()
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    with capsys.disabled():
        print(f"\n{name}: {outcomes.total()} inputs: {dict(outcomes.most_common())}", end="")
    assert len(outcomes) > 1  # both sides of the line were seen
    assert grown < MEGABYTES
    nothing_left_in(target.folder)


def test_what_is_left_half_written_is_a_fault(tmp_path: Path) -> None:
    nothing_left_in(tmp_path)
    (tmp_path / "store").mkdir()
    (tmp_path / "store/report.partial").write_text("half")
    with pytest.raises(Fault, match=r"store/report\.partial"):
        nothing_left_in(tmp_path)
