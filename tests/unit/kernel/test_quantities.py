"""Quantities as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.kernel.quantities import (
    format_budget,
    format_duration,
    format_share,
    parse_budget,
    parse_duration,
    parse_share,
)


@pytest.mark.parametrize(
    ("text", "seconds"), [("2s", 2), ("30m", 1800), ("1.5h", 5400), ("1d", 86400), (" 2 w ", 1209600), ("0.5s", 0.5), ("0s", 0)]
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "5", "m", "-1m", "1 day", "1e3s", "٣s", "9" * 400 + "s"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        parse_duration(text)


@pytest.mark.parametrize(("text", "share"), [("1%", 0.01), ("0%", 0), ("100 %", 1), ("0.1%", 0.001), ("7%", 0.07)])
def test_shares(text: str, share: float) -> None:
    assert parse_share(text) == share


@pytest.mark.parametrize("text", ["5", "101%", "-1%", "%", "nan%"])
def test_what_is_no_share(text: str) -> None:
    with pytest.raises(ValueError, match="%"):
        parse_share(text)


@pytest.mark.parametrize("text", ["10", "ten per week", "10 per fortnight", "-1 per day"])
def test_what_is_no_budget(text: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        parse_budget(text)


@given(st.integers(0, 10**6), st.sampled_from("smhdw"))
def test_a_duration_is_read_back_the_same(number: int, unit: str) -> None:
    seconds = parse_duration(f"{number}{unit}")

    assert parse_duration(format_duration(seconds)) == seconds


@given(st.decimals(0, 100, places=6))
def test_a_share_is_read_back_the_same(percent: object) -> None:
    share = parse_share(f"{percent:f}%")

    assert parse_share(format_share(share)) == share


@given(st.integers(0, 10**6), st.sampled_from(["hour", "day", "week", "month"]))
def test_a_budget_is_read_back_the_same(count: int, period: str) -> None:
    assert format_budget(*parse_budget(f"{count} per {period}")) == f"{count} per {period}"
