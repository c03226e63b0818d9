"""Ids, records, histograms and the selector: what both towers must read alike."""

from __future__ import annotations

from math import isclose

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.boundary import histogram
from lockgate.boundary.manifest import decode
from lockgate.boundary.predictions import Prediction, mint, read
from lockgate.boundary.records import Record, frame, frames
from lockgate.boundary.routes import Revision
from lockgate.boundary.selector import choose, unit_key
from lockgate.kernel.digest import digest_bytes
from lockgate.kernel.errors import Corrupt, Invalid

SECRET = b"s" * 32
scores = st.floats(width=32, allow_nan=False, allow_infinity=False)
predictions = st.builds(
    Prediction,
    version=st.integers(0, 2**32 - 1),
    revision=st.builds(Revision, st.integers(0, 2**16 - 1), st.integers(0, 2**32 - 1)),
    key=st.integers(0, 2**64 - 1),
    score=scores,
    answered_at=st.floats(0, 4e9),
    serial=st.integers(0, 2**24 - 1),
    segment=st.integers(0, 2**8 - 1),
)


@given(predictions, st.text(max_size=20))
def test_a_prediction_id_says_what_was_put_into_it(prediction: Prediction, model: str) -> None:
    assert read(SECRET, model, mint(SECRET, model, prediction)) == prediction


@given(predictions, st.integers(0, 55), st.sampled_from("ABab01-_"))
def test_a_changed_prediction_id_is_refused(prediction: Prediction, at: int, letter: str) -> None:
    good = mint(SECRET, "m", prediction)
    bad = good[:at] + letter + good[at + 1 :]
    if bad != good:
        with pytest.raises(Invalid, match="not given out"):
            read(SECRET, "m", bad)


@pytest.mark.parametrize("text", ["", "a", "ä" * 56, "=" * 56, "A" * 56, "A" * 10_000])
def test_nonsense_is_no_prediction_id(text: str) -> None:
    with pytest.raises(Invalid):
        read(SECRET, "m", text)


def test_an_id_does_not_move_to_another_model_or_home() -> None:
    one = mint(SECRET, "m", Prediction(1, Revision(0, 1), 2, 0.5, 1e9, 0))
    for secret, model in ((SECRET, "other"), (b"t" * 32, "m")):
        with pytest.raises(Invalid):
            read(secret, model, one)


records = st.builds(
    Record,
    prediction_ids=st.tuples(st.text(max_size=10)),
    model=st.text(max_size=5),
    version=st.integers(1, 9),
    revision=st.builds(Revision, st.integers(0, 3), st.integers(0, 99)),
    answered_at=st.floats(0, 4e9),
    inputs=st.dictionaries(st.text(max_size=5), st.lists(st.integers(-9, 9) | st.text(max_size=5), max_size=3), max_size=3),
    scores=st.tuples(scores),
)


@given(st.lists(records, max_size=5), st.data())
def test_a_torn_tail_is_never_read_as_a_record(written: list[Record], data: st.DataObject) -> None:
    whole = [frame(record) for record in written]
    content = b"".join(whole)
    cut = data.draw(st.integers(0, len(content)))
    kept = [record for _, record in frames(content[:cut])]
    ends = [sum(map(len, whole[: index + 1])) for index in range(len(whole))]
    assert kept == [record for record, end in zip(written, ends, strict=True) if end <= cut]


@given(st.lists(records, min_size=1, max_size=5))
def test_reading_goes_on_where_it_stopped(written: list[Record]) -> None:
    content = b"".join(map(frame, written))
    first_end = next(iter(frames(content)))[0]
    assert [record for _, record in frames(content, first_end)] == written[1:]


@given(st.lists(st.floats(1e-6, 100.0), min_size=1, max_size=200), st.sampled_from([0.5, 0.95, 0.99, 1.0]))
def test_a_histogram_never_understates_a_quantile_nor_overstates_it_by_more_than_a_bucket(values: list[float], q: float) -> None:
    counts: dict[int, int] = {}
    for value in values:
        histogram.merge(counts, {histogram.bucket(value): 1})
    rank = max(0, -int(-q * len(values) // 1) - 1)
    truth = sorted(values)[rank]
    found = histogram.quantile(counts, q)
    assert truth <= found * (1 + 1e-9)
    assert found <= truth * histogram.GROWTH * (1 + 1e-9) or isclose(found, truth * histogram.GROWTH)


def test_an_empty_histogram_has_no_quantile() -> None:
    with pytest.raises(ValueError, match="empty"):
        histogram.quantile({}, 0.5)


@given(st.text(max_size=30), st.text(max_size=30), st.lists(st.floats(0.01, 1.0), min_size=1, max_size=5))
def test_every_unit_has_an_arm_with_a_share(salt: str, unit: str, raw: list[float]) -> None:
    weights = [0.0, *(weight / sum(raw) for weight in raw), 0.0]
    assert weights[choose(unit_key(salt, unit), weights)] > 0


def test_shares_are_as_asked() -> None:
    chosen = [choose(unit_key("salt", str(unit)), [0.1, 0.9]) for unit in range(20_000)]
    assert 0.092 < chosen.count(0) / len(chosen) < 0.108


def test_the_hash_is_the_same_for_ever() -> None:
    assert unit_key("salt", "user-1") == 5485726058911827588


def test_altered_bytes_are_no_manifest() -> None:
    with pytest.raises(Corrupt, match="expected sha256"):
        decode(b"{}", digest_bytes(b"{ }"))
    with pytest.raises(Invalid, match="no manifest"):
        decode(b"{}", digest_bytes(b"{}"))
