"""What a reference learns, and that it survives being stored."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lockgate.boundary.routes import LabelEvent
from lockgate.kernel.errors import Invalid
from lockgate.stages.watch.reference import Reference, Runs, decode, encode, learn, spread_of
from lockgate.stats.drift import Spread

EVENT = LabelEvent("missed", 0.25)
FLOATS = arrays(np.float64, st.integers(1, 200), elements=st.floats(allow_nan=True, allow_infinity=True))


def reference_of(column: object) -> Reference:
    return learn({"x": column}, [0.1, 0.9], [0, 1], EVENT)  # type: ignore[dict-item]


@given(FLOATS)
def test_every_number_has_exactly_one_bin_and_missing_the_last(column: np.ndarray) -> None:
    bins = reference_of(column).features["x"]
    assert sum(bins.counts) == len(column)
    assert bins.counts[-1] == np.isnan(column).sum()
    assert list(bins.edges) == sorted(set(bins.edges))
    assert bins.count(column).tolist() == list(bins.counts)


@given(FLOATS, FLOATS)
def test_counting_again_in_pieces_gives_the_same(one: np.ndarray, other: np.ndarray) -> None:
    bins = reference_of(one).features["x"]
    assert (bins.count(one) + bins.count(other)).tolist() == bins.count(np.concatenate([one, other])).tolist()


@given(st.lists(st.sampled_from(["a", "b", "ü", "", None])))
def test_texts_are_counted_by_value(column: list[str | None]) -> None:
    bins = reference_of(column).features["x"]
    values = bins.values or ()
    assert {value: bins.counts[i] for i, value in enumerate(values)} == {v: column.count(v) for v in column if v is not None}
    assert bins.counts[-2:] == (0, column.count(None))


def test_a_continuous_feature_is_cut_at_its_deciles() -> None:
    counts = reference_of(np.random.default_rng(1).normal(size=10_000)).features["x"].counts
    assert counts[0] == 0  # below the least of training
    assert all(abs(count - 1000) <= 1 for count in counts[1:-3])
    assert counts[-1] == 0


def test_a_value_that_many_rows_share_has_a_bin_of_its_own() -> None:
    column = np.concatenate([np.zeros(5000), np.random.default_rng(1).exponential(size=5000)])
    assert 5000 in reference_of(column).features["x"].counts


def test_few_values_each_have_a_bin_and_a_new_one_falls_between() -> None:
    bins = reference_of(np.repeat([1, 2, 3], 100)).features["x"]
    places = bins.place([0, 1, 1.5, 2, 3, 4, None, "no number"])
    assert len(set(places.tolist())) == 7
    assert places[-1] == places[-2]
    assert sorted(bins.counts)[-3:] == [100, 100, 100]


def test_numbers_are_binned_as_the_32_bit_floats_that_the_model_is_given() -> None:
    bins = reference_of(np.array([0.1] * 60 + [0.7] * 40)).features["x"]
    assert bins.count(np.array([0.1], dtype=np.float32)).tolist() == bins.count([0.1]).tolist()


def test_rare_texts_are_others() -> None:
    bins = reference_of([f"v{i}" for i in range(60) for _ in range(60 - i)]).features["x"]
    assert bins.values is not None
    assert "v0" in bins.values
    assert "v59" not in bins.values
    assert bins.place(["v59", "never seen"]).tolist() == [50, 50]


def test_independent_rows_teach_no_inflation_and_rows_that_hang_together_do() -> None:
    random = np.random.default_rng(3)
    weather = np.repeat(random.normal(size=40), 500)
    columns = {"independent": random.normal(size=20_000), "clustered": weather + random.normal(size=20_000)}
    learned = learn(columns, [0.5], [1], EVENT).features
    assert max(runs.inflation for runs in learned["independent"].runs) < 2
    assert spread_of(learned["independent"].runs, 500).inflation < 1.3
    assert spread_of(learned["clustered"].runs, 500).inflation > 20


def test_a_window_is_held_to_the_runs_next_in_length_and_beyond_them_to_the_worst() -> None:
    runs = (Runs(100, 3.0, 1.0, 50), Runs(200, 2.0, 1.0, 25))
    assert [spread_of(runs, rows).inflation for rows in (50, 100, 150, 200, 400)] == [3, 3, 3, 2, 3]
    assert spread_of((), 100) == Spread()


def test_the_baseline_counts_the_event_and_scores_probabilities() -> None:
    performance = learn({}, [0.1, 0.2, 0.8, 0.9], [1, 0, 1, 0], EVENT).performance
    assert (performance.labels, performance.events, performance.rate) == (4, 1, 0.25)
    assert performance.brier == pytest.approx((0.81 + 0.04 + 0.04 + 0.81) / 4)
    assert performance.auc == pytest.approx(0.25)


def test_scores_that_are_no_probabilities_have_neither_brier_nor_auc() -> None:
    performance = learn({}, [12.0, 30.0], [10.0, 31.0], None).performance
    assert (performance.brier, performance.auc, performance.events) == (None, None, 0)


def test_a_stored_reference_is_the_same() -> None:
    reference = learn({"x": np.arange(300.0), "c": ["a", "b", None] * 100}, [0.1, 0.9], [0, 1], EVENT)
    assert decode(encode(reference)) == reference


@pytest.mark.parametrize("content", [b"", b"\xc1", b"\x80", encode(learn({}, [], [])).replace(b"reference/v1", b"reference/v9")])
def test_bytes_that_are_no_reference_are_refused(content: bytes) -> None:
    with pytest.raises(Invalid):
        decode(content)


def test_columns_that_do_not_belong_together_are_refused() -> None:
    with pytest.raises(Invalid, match="differ in length"):
        learn({"x": np.zeros(2), "y": np.zeros(3)}, [], [])
    with pytest.raises(Invalid, match="2 held-out scores and 1 labels"):
        learn({}, [0.1, 0.2], [1])


@pytest.mark.parametrize(
    ("event", "score", "label", "happened"),
    [
        ("missed", 0.2, 1, True),
        ("missed", 0.25, 1, False),
        ("missed", 0.2, 0, False),
        ("false_alarm", 0.25, 0, True),
        ("false_alarm", 0.2, 0, False),
        ("false_alarm", 0.9, 1, False),
        ("wrong", 0.2, 1, True),
        ("wrong", 0.3, 0, True),
        ("wrong", 0.3, 1, False),
        ("true", 0.1, 0.5, True),
        ("true", 0.9, 0.4, False),
        ("off", 20.0, 20.25, False),
        ("off", 20.0, 20.5, True),
        ("off", -20.5, -20.0, True),
        ("off", 0.9, 1, False),
    ],
)
def test_the_label_event(event: str, score: float, label: float, happened: bool) -> None:  # noqa: FBT001
    assert LabelEvent(event, 0.25).happened(score, label) is happened


def test_an_unknown_label_event_is_refused() -> None:
    with pytest.raises(Invalid, match="one of missed, false_alarm, wrong"):
        LabelEvent("mised", 0.25).happened(0.1, 1)


def test_people_are_told_by_how_much_a_score_may_be_off() -> None:
    assert [LabelEvent(name, 5.0).words for name in ("false_alarm", "off")] == ["false alarm", "off by more than 5"]


def test_where_labels_are_numbers_nothing_is_learned_that_needs_classes() -> None:
    scores, labels = np.array([0.1, 0.9, 0.8, 0.3]), np.array([0.0, 1.0, 0.0, 1.0])
    found = learn({}, scores, labels, LabelEvent("off", 0.5)).performance
    assert (found.labels, found.events, found.brier, found.auc) == (4, 2, None, None)
