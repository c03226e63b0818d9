"""Contracts: each defect is found and named, and what was learned from data holds for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockgate.integrations.pandera.check import check
from lockgate.integrations.pandera.learn import learn
from lockgate.stages.build.spec import ContractSpec

NOW, DAY = 1_700_000_000.0, 86400.0
GOOD = pd.DataFrame(
    {
        "distance": [100, 250, 900],
        "delay": [1.5, None, -3.0],
        "origin": ["JFK", "EWR", "LGA"],
        "late": [True, False, False],
        "at": pd.to_datetime(["2013-01-01", "2013-01-02", "2013-01-03"]),
    }
)
CONTRACT: dict[str, Any] = {
    "columns": {
        "distance": {"type": "int", "min": 0, "max": 5000, "unique": True},
        "delay": {"type": "float", "nullable": True},
        "origin": {"type": "string", "values": ["JFK", "EWR", "LGA"]},
        "late": {"type": "bool"},
        "at": {"type": "datetime"},
    },
    "rows": {"min": 3},
    "strict": True,
}


def test_good_data_breaks_nothing() -> None:
    assert check(GOOD, CONTRACT, NOW) == ()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"distance": [-5, 250, -7]}, "distance: 0 or more expected; 2 rows break it, such as -5, -7"),
        ({"distance": [1, 250, 6000]}, "distance: 5000 or less expected; 1 row breaks it, such as 6000"),
        ({"distance": [250, 250, 1]}, "distance: no value twice expected; 2 rows break it, such as 250"),
        ({"distance": ["100", "250", "900"]}, "distance: type int expected, str found, such as '100'"),
        ({"distance": ["100", "far", "900"]}, "distance: type int expected, str found, such as 'far'"),
        ({"distance": [1.5, 2, 3]}, "distance: type int expected, float64 found, such as 1.5"),
        ({"distance": [1, None, 3]}, "distance: no missing values expected; 1 row breaks it"),
        ({"origin": ["JFK", "XXX", "LGA"]}, "origin: one of JFK, EWR, LGA expected; 1 row breaks it, such as XXX"),
        ({"late": [1, 0, 1]}, "late: type bool expected, int64 found, such as 1"),
        ({"at": ["a", "b", "c"]}, "at: type datetime expected, str found, such as 'a'"),
        ({"more": [1, 2, 3]}, "column more is not in the contract"),
    ],
)
def test_each_defect_is_named_with_rows_and_values(change: dict[str, list[Any]], said: str) -> None:
    assert check(GOOD.assign(**change), CONTRACT, NOW) == (said,)


def test_missing_columns_and_rows_are_named_with_all_else() -> None:
    found = check(GOOD.drop(columns="late").head(2).assign(origin="?"), CONTRACT, NOW)

    assert found == (
        "column late is missing",
        "2 rows found, at least 3 expected",
        "origin: one of JFK, EWR, LGA expected; 2 rows break it, such as ?",
    )


def test_no_rows_at_all_break_only_the_number_of_rows() -> None:
    assert check(GOOD.head(0), CONTRACT, NOW) == ("0 rows found, at least 3 expected",)


def good(rows: int, seed: int) -> pd.DataFrame:
    """A table as companies have it: skewed sums, a rare category, gaps, times until yesterday."""
    random = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "age": random.integers(18, 90, rows),
            "balance": random.normal(0, 800, rows),
            "income": random.exponential(30_000, rows),
            "carrier": random.choice(["AA", "DL", "UA", "HA"], rows, p=[0.4, 0.35, 0.245, 0.005]),
            "delay": np.where(random.random(rows) < 0.03, np.nan, random.normal(8, 20, rows)),
            "booked": pd.to_datetime(NOW - DAY * (1 + 30 * random.random(rows)), unit="s"),
        }
    )


def test_what_is_learned_is_what_a_person_would_write() -> None:
    learned = learn(good(2000, 0), NOW)
    assert learned["rows"] == {"min": 1000, "max": 4000}
    assert learned["freshness"] == {"column": "booked", "within": "3d"}
    assert learned["columns"]["age"] == {"type": "int", "min": 0, "max": 164}
    assert learned["columns"]["income"]["min"] == 0, "what was never negative may not become it"
    assert learned["columns"]["carrier"] == {"type": "string", "values": ["AA", "DL", "HA", "UA"], "unseen": "1%"}
    assert learned["columns"]["delay"]["nullable"]
    assert learned["columns"]["booked"] == {"type": "datetime"}


def test_clean_samples_keep_a_learned_contract_a_hundred_times_of_a_hundred() -> None:
    """Other rows of the same kind, which is harder than rows drawn anew from those that were learned."""
    contract = learn(good(2000, 0), NOW)
    assert [found for seed in range(1, 101) if (found := check(good(2000, seed), contract, NOW))] == []


def test_few_rows_are_not_learned_by_heart() -> None:
    contract = learn(good(40, 0), NOW)
    assert [found for seed in range(1, 101) if (found := check(good(40, seed), contract, NOW))] == []
    assert "values" not in learn(good(20, 0), NOW)["columns"]["carrier"], "so few rows show no vocabulary"


def spoilt(change: dict[str, Callable[[pd.DataFrame], Any]], share: float = 1.0) -> pd.DataFrame:
    frame = good(2000, 1)
    rows = frame.index < share * len(frame)
    return frame.assign(
        **{name: frame[name].astype(object).where(~rows, make(frame)).infer_objects() for name, make in change.items()}
    )


DEFECTS: list[tuple[str, pd.DataFrame, str]] = [
    ("a column is gone", good(2000, 1).drop(columns="age"), "column age is missing"),
    ("numbers came as text", spoilt({"age": lambda one: one.age.astype(str)}), "age: type int expected"),
    ("another unit", spoilt({"income": lambda one: one.income * 100}), "or less expected"),
    ("a stand-in for missing", spoilt({"age": lambda _: -999}, 0.01), "age: 0 or more expected; 20 rows"),
    ("a sign was lost", spoilt({"income": lambda one: -one.income}, 0.1), "income: 0 or more expected"),
    ("new categories", spoilt({"carrier": lambda _: "ZZ"}, 0.02), "carrier: one of AA, DL, HA, UA expected in all but 1.00%"),
    ("another spelling", spoilt({"carrier": lambda one: one.carrier.str.lower()}), "carrier: one of AA"),
    ("gaps where there were none", spoilt({"age": lambda _: None}, 0.01), "age: no missing values expected"),
    ("far more gaps", spoilt({"delay": lambda _: None}, 0.2), "delay: at most"),
    ("half an export", good(900, 1), "900 rows found, at least 1000 expected"),
    ("everything three times", pd.concat([good(2000, 1)] * 3), "6000 rows found, at most 4000 expected"),
    (
        "last week's file",
        good(2000, 1).assign(booked=lambda one: one.booked - pd.Timedelta(days=7)),
        "booked: a newest value at most 3d",
    ),
    ("a mistyped year", spoilt({"booked": lambda one: one.booked + pd.Timedelta(days=3650)}, 0.0005), "lies 36"),
]


@pytest.mark.parametrize(("frame", "said"), [pytest.param(*rest, id=name) for name, *rest in DEFECTS])
def test_every_defect_put_into_a_clean_set_is_found(frame: pd.DataFrame, said: str) -> None:
    found = check(frame, learn(good(2000, 0), NOW), NOW)
    assert any(said in one for one in found), found


FRESH: dict[str, Any] = {"columns": {}, "freshness": {"column": "at", "within": "2d"}}


@pytest.mark.parametrize(
    ("newest", "said"),
    [
        (NOW - 2 * DAY, ()),
        (NOW - 2 * DAY - 1, ("at: a newest value at most 2d old expected; it is 48 hours old",)),
        (NOW + 0.5 * DAY, ()),
        (NOW + 5 * DAY, ("at: its newest value lies 5 days ahead, so nothing tells how fresh the data is",)),
    ],
)
@pytest.mark.parametrize("kind", ["seconds", "naive", "zoned", "text"])
def test_freshness_is_judged_by_the_time_that_is_given(newest: float, said: tuple[str, ...], kind: str) -> None:
    times = pd.Series([newest - 9 * DAY, newest, None])
    column = times if kind == "seconds" else pd.to_datetime(times, unit="s", utc=kind != "naive")
    frame = pd.DataFrame({"at": column.astype(str) if kind == "text" else column})
    assert check(frame, FRESH, NOW) == said


def test_without_times_nothing_is_fresh() -> None:
    assert check(pd.DataFrame({"x": [1]}), FRESH, NOW) == ("column at is missing, which tells how fresh the data is",)
    assert "times expected" in check(pd.DataFrame({"at": ["soon"]}), FRESH, NOW)[0]


@pytest.mark.parametrize(
    ("part", "said"),
    [
        ({"columns": {"x": {"max_missing": "5%"}}}, "nullable"),
        ({"columns": {"x": {"unseen": "5%"}}}, "belongs to columns with `values`"),
        ({"columns": {}, "rows": {"min": 9, "max": 3}}, "at most max"),
    ],
)
def test_rules_that_contradict_each_other_are_refused(part: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        ContractSpec.model_validate(part)


COLUMNS = st.one_of(
    st.lists(st.integers(-1000, 1000), min_size=5, max_size=5),
    st.lists(st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False)), min_size=5, max_size=5),
    st.lists(st.one_of(st.none(), st.text(max_size=3)), min_size=5, max_size=5),
    st.lists(st.booleans(), min_size=5, max_size=5),
)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.sampled_from("abcd"), COLUMNS, min_size=1))
def test_data_keeps_what_was_learned_from_it(columns: dict[str, list[Any]]) -> None:
    frame = pd.DataFrame(columns)

    assert check(frame, learn(frame, NOW), NOW) == ()
