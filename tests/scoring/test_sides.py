"""A key's side of a canary: the same everywhere, and only growing with the share."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.scoring.sides import Sides

KEYS = st.lists(st.text(max_size=40), max_size=30)
SHARES = st.floats(0, 1, exclude_min=True, exclude_max=True)
SECRETS = st.binary(min_size=1, max_size=64)


@settings(deadline=None)  # the first example imports pandas for pyarrow
@given(KEYS, SHARES, SHARES, SECRETS)
def test_a_share_that_grows_takes_no_key_away(
    keys: list[str], one: float, other: float, secret: bytes
) -> None:
    column = pa.array(keys, pa.string())
    small, large = (Sides(share=s, secret=secret).of_champion(column) for s in sorted((one, other)))
    assert not (small & ~large).any()


@given(KEYS, SHARES, SECRETS)
def test_a_key_is_on_one_side_whatever_stands_around_it(
    keys: list[str], share: float, secret: bytes
) -> None:
    sides = Sides(share=share, secret=secret)
    together = sides.of_champion(pa.array(keys, pa.string()))
    alone = [bool(sides.of_champion(pa.array([key], pa.string()))[0]) for key in keys]
    assert together.tolist() == alone


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5, 0.9])
def test_as_many_keys_are_the_champions_as_the_share_says(share: float) -> None:
    mine = Sides(share=share, secret=b"secret").of_champion(pa.array(range(20_000)))
    assert mine.mean() == pytest.approx(share, abs=4 * (share * (1 - share) / 20_000) ** 0.5)


def test_another_secret_draws_other_keys() -> None:
    keys = pa.array(range(2_000))
    one, other = (Sides(share=0.1, secret=s).of_champion(keys) for s in (b"one", b"other"))
    assert 0 < (one & other).sum() < 60  # by chance 20, and not the 200 of one of them


def test_a_whole_number_is_on_one_side_in_whatever_type_it_landed() -> None:
    sides = Sides(share=0.5, secret=b"secret")
    numbers = list(range(200))
    as_texts = sides.of_champion(pa.array(map(str, numbers))).tolist()
    for kind in (pa.int32(), pa.int64(), pa.float64()):
        assert sides.of_champion(pa.array(numbers, kind)).tolist() == as_texts
    mixed = pa.array([*map(float, numbers), 0.5])
    assert sides.of_champion(mixed).tolist()[:-1] == as_texts


def test_a_side_is_what_the_docs_say_it_is() -> None:
    import hashlib

    key, secret = b"customer-7", b"secret"
    digest = hashlib.blake2b(key, key=secret, digest_size=8).digest()
    place = int.from_bytes(digest, "big") / 2**64
    for share in (place * 0.999, min(place * 1.001, 0.999)):
        mine = Sides(share=share, secret=secret).of_champion(pa.array([key.decode()]))
        assert mine.tolist() == [place < share]
