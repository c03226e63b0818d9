"""Contracts: each defect is found and named, and what was learned from data holds for it."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockgate.integrations.pandera.check import check
from lockgate.integrations.pandera.learn import learn

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
    assert check(GOOD, CONTRACT) == ()


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
    assert check(GOOD.assign(**change), CONTRACT) == (said,)


def test_missing_columns_and_rows_are_named_with_all_else() -> None:
    found = check(GOOD.drop(columns="late").head(2).assign(origin="?"), CONTRACT)

    assert found == (
        "column late is missing",
        "2 rows found, at least 3 expected",
        "origin: one of JFK, EWR, LGA expected; 2 rows break it, such as ?",
    )


def test_no_rows_at_all_break_only_the_number_of_rows() -> None:
    assert check(GOOD.head(0), CONTRACT) == ("0 rows found, at least 3 expected",)


def test_what_is_learned_is_what_a_person_would_write() -> None:
    assert learn(GOOD)["columns"]["distance"] == {"type": "int", "min": 100, "max": 900}
    assert learn(GOOD)["columns"]["delay"] == {"type": "float", "nullable": True, "min": -3, "max": 1.5}
    assert learn(GOOD)["columns"]["origin"] == {"type": "string", "values": ["EWR", "JFK", "LGA"]}


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

    assert check(frame, learn(frame)) == ()
