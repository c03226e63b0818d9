"""The filters and orders of searches, and LIKE beside what SQL means by it."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.entrypoints.api.mlflow.filters import LONGEST, ordered, parse_filter
from lockgate.kernel.errors import Invalid

FLIGHT = {"name": "flight-delay", "run_id": "run-1", "tags.team": "ops"}


def holds(text: str) -> bool:
    return all(said.holds(FLIGHT) for said in parse_filter(text, ("name", "run_id")))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  ",
        "name = 'flight-delay'",
        'name="flight-delay"',
        "name LIKE 'flight%'",
        "name ilike 'FLIGHT_delay'",
        "run_id IN ('run-1', 'run-2')",
        "name != 'fares' and run_id = 'run-1'",
        "tags.team = 'ops'",
        "tag.`team` = 'ops' AND tags.\"team\" LIKE '%p%'",
        "tags.`mlflow.prompt.is_prompt` != 'true'",
    ],
)
def test_what_holds(text: str) -> None:
    assert holds(text)


@pytest.mark.parametrize(
    "text",
    [
        "name = 'fares'",
        "name LIKE 'FLIGHT%'",
        "name LIKE 'flight'",
        "run_id IN ('run-2')",
        "tags.gone = ''",
        "tags.gone LIKE '%'",
        "tags.team != 'ops'",
        "name = 'flight-delay' AND run_id = 'run-2'",
    ],
)
def test_what_does_not(text: str) -> None:
    assert not holds(text)


@pytest.mark.parametrize(
    "text",
    ["x", "name", "name =", "name = flight", "stage = 'x'", "name = 'a' OR name = 'b'", "name = 'a' AND", "name = 'a' 'b'",
     "name = ('a')", "name > 'a'", "AND name = 'a'", "name = 'a", "x" * (LONGEST + 1)],
)  # fmt: skip
def test_what_is_no_filter_is_said_so(text: str) -> None:
    with pytest.raises(Invalid, match="filter"):
        parse_filter(text, ("name", "run_id"))


@given(st.text("ab%_", max_size=8), st.text("ab", max_size=8))
def test_like_is_what_sql_means(pattern: str, value: str) -> None:
    (said,) = parse_filter(f"name LIKE '{pattern}'", ("name",))
    expected = re.fullmatch(pattern.replace("%", ".*").replace("_", "."), value) is not None
    assert said.holds({"name": value}) is expected


def test_no_pattern_takes_long() -> None:
    (said,) = parse_filter(f"name LIKE '{'%a' * 1900}b'", ("name",))
    began = time.perf_counter()
    assert not said.holds({"name": "a" * 5000})
    assert time.perf_counter() - began < 2  # a search that goes back would not end


def test_the_first_order_counts_most() -> None:
    fields = {"letter": lambda one: one[0], "number": lambda one: one[1:]}
    assert ordered(["b1", "a1", "a2"], ["letter ASC", "number DESC"], fields) == ["a2", "a1", "b1"]
    assert ordered(["b1", "a1"], [], fields) == ["b1", "a1"]
    for said in ("colour", "letter sideways", ""):
        with pytest.raises(Invalid, match="order"):
            ordered(["b1"], [said], fields)
