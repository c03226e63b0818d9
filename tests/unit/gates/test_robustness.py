"""Robustness rules: planted faults are found with a row that shows them, sound models pass, and what cannot be asked says why."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from math import exp
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.boundary.manifest import Signature, Tensor
from lockgate.domain.verdicts import GateResult, GateVerdict
from lockgate.kernel.errors import Invalid
from lockgate.stages.decide.gates.probes import MOST_ROWS, probe
from lockgate.stages.decide.gates.robustness import Ask, judge_robustness
from lockgate.stages.decide.robustness_spec import Law, RobustnessSpec
from lockgate.stages.decide.spec import GatesSpec
from lockgate.stages.fields import FROM_FILE

SIGNATURE = Signature(
    (
        Tensor("income", "FP64", (-1, 1)),
        Tensor("age", "INT64", (-1, 1)),
        Tensor("city", "BYTES", (-1, 1)),
        Tensor("one", "FP64", (-1, 1)),
    ),
    (Tensor("p", "FP64", (-1, 1)),),
    "p",
)
Columns = Mapping[str, Sequence[Any]]


def held_out(rows: int = 1000) -> dict[str, list[Any]]:
    random = np.random.default_rng(0)
    return {
        "income": random.uniform(0, 100, rows).tolist(),
        "age": random.integers(18, 90, rows).tolist(),
        "city": random.choice(["Bern", "Basel", "Chur"], rows).tolist(),
        "one": [1.0] * rows,
    }


def sound(columns: Columns) -> list[float]:
    """Rises with income, falls with age, does not look at the city."""
    return [1 / (1 + exp(0.05 * age - 0.02 * income)) for income, age in zip(columns["income"], columns["age"], strict=True)]


def dented(columns: Columns) -> list[float]:
    """As above, but who earns 40 to 50 is liked less."""
    return [one * (0.5 if 40 <= income < 50 else 1.0) for one, income in zip(sound(columns), columns["income"], strict=True)]


def brittle(columns: Columns) -> list[float]:
    return [float(income > 50) for income in columns["income"]]


def speechless(columns: Columns) -> list[float]:
    return [float("nan") if age > 100 else 0.5 for age in columns["age"]]


def local(columns: Columns) -> list[float]:
    """Looks at the city, and knows three."""
    known = {"Bern": 0.1, "Basel": 0.2, "Chur": 0.3}
    if unknown := [city for city in columns["city"] if city not in known]:
        raise Invalid(f"city {unknown[0]!r} is unknown")
    return [known[city] for city in columns["city"]]


def judged(ask: Ask, *rules: dict[str, Any], rows: int = 1000) -> list[GateResult]:
    spec = GatesSpec.model_validate({"robustness": list(rules)}, context=FROM_FILE)
    return list(judge_robustness(spec.robustness, SIGNATURE, held_out(rows), ask))


def test_a_sound_model_keeps_every_law() -> None:
    found = judged(
        sound,
        {"invariant to": "city"},
        {"rising in": "income"},
        {"falling in": "age"},
        {"stable under noise in": "income"},
        {"answers beyond the range of": "age"},
        {"answers unseen values of": "city"},
        {"expects": {"income": 100, "age": 18, "city": "Bern", "one": 1}, "at_least": 0.5},
    )
    assert [one.verdict for one in found] == [GateVerdict.PASS] * 7, found
    assert {one.gate for one in found} == {"robustness"}


def test_a_planted_dent_is_found_and_shown() -> None:
    (result,) = judged(dented, {"rising in": "income"})
    assert result.verdict is GateVerdict.FAIL
    assert result.rule == "rising in income"
    assert re.search(r"For example income [0-3]\d?\.\d+ → 4\d\.", result.detail), "into the dent, from below"
    assert result.measured["broken"] > 30


@pytest.mark.parametrize(
    ("ask", "rule"),
    [
        (local, {"invariant to": "city"}),
        (sound, {"rising in": "age"}),
        (sound, {"falling in": "income"}),
        (brittle, {"stable under noise in": {"column": "income", "noise": "10%"}}),
        (speechless, {"answers beyond the range of": "age"}),
        (local, {"answers unseen values of": "city"}),
        (sound, {"expects": {"income": 0, "age": 90, "city": "Bern", "one": 1}, "at_least": 0.5}),
    ],
)
def test_what_breaks_a_law_fails(ask: Ask, rule: dict[str, Any]) -> None:
    (result,) = judged(ask, rule)
    assert result.verdict is GateVerdict.FAIL, result


def test_what_is_rare_enough_is_allowed_and_few_rows_prove_nothing() -> None:
    rare = {"invariant to": {"column": "city", "at_most": "5%", "tolerance": 0.01}}

    def odd(columns: Columns) -> list[float]:
        return [0.5 + 0.4 * (city == "Chur" and age == 30) for city, age in zip(columns["city"], columns["age"], strict=True)]

    assert [one.verdict for one in judged(odd, rare, {"invariant to": "city"})] == [GateVerdict.PASS, GateVerdict.INCONCLUSIVE]
    (few,) = judged(sound, {"invariant to": "city"}, rows=50)
    assert few.verdict is GateVerdict.INCONCLUSIVE
    assert "Hold out more rows" in few.detail


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({"rising in": "wealth"}, "the model has no input 'wealth'; it has income, age, city, one"),
        ({"rising in": "city"}, "city is BYTES: `rising in` is about numbers"),
        ({"answers unseen values of": "age"}, "age is INT64: `answers unseen values of` is about texts"),
        ({"rising in": "one"}, "one has the same value in all 1000 rows"),
        ({"expects": {"income": 1, "wealth": 2}, "at_least": 0.5}, "age, city, one missing; wealth unknown"),
    ],
)
def test_what_cannot_be_asked_is_an_error(rule: dict[str, Any], message: str) -> None:
    (result,) = judged(sound, rule)
    assert result.verdict is GateVerdict.ERROR
    assert message in result.detail


def test_rows_with_something_missing_are_not_asked() -> None:
    columns = held_out()
    columns["income"] = [float("nan") if row % 7 == 0 else value for row, value in enumerate(columns["income"])]
    laws = [Law.RISING, Law.INVARIANT, Law.STABLE, Law.BEYOND]
    rules = [RobustnessSpec(law=law, column="income") for law in laws]
    found = judge_robustness(rules, SIGNATURE, columns, sound)
    assert [one.verdict.value for one in found] == ["PASS", "FAIL", "PASS", "PASS"]
    assert all(one.measured["rows"] <= 857 for one in found)
    empty = {**columns, "city": [None] * 1000}
    (nothing,) = judge_robustness(rules[:1], SIGNATURE, empty, sound)
    assert "no held-out row is complete" in nothing.detail


def test_a_range_ends_where_its_datatype_does_and_small_numbers_have_noise_too() -> None:
    columns = held_out(20) | {"age": [2**63 - 1 - row for row in range(20)]}
    beyond = probe(RobustnessSpec(law=Law.BEYOND, column="age"), SIGNATURE, columns)
    assert all(-(2**63) <= value < 2**63 for value in beyond.after["age"])
    hours = held_out(20) | {"age": list(range(20))}
    noisy = probe(RobustnessSpec(law=Law.STABLE, column="age"), SIGNATURE, hours)
    assert {abs(new - old) for old, new in zip(noisy.before["age"], noisy.after["age"], strict=True)} == {1}


def test_without_held_out_rows_it_is_said_why() -> None:
    rules = [RobustnessSpec(law=Law.RISING, column="income")]
    (result,) = judge_robustness(rules, SIGNATURE, {}, sound)
    assert (result.verdict, "no rows to ask about" in result.detail) == (GateVerdict.ERROR, True)


@given(st.lists(st.integers(0, 5), min_size=2, max_size=40), st.sampled_from([Law.RISING, Law.INVARIANT, Law.BEYOND]))
def test_a_probe_changes_one_input_of_each_row_and_changes_it_as_the_law_says(ages: list[int], law: Law) -> None:
    rows = len(ages)
    columns = {**{name: values[:rows] for name, values in held_out().items()}, "age": ages}
    if len(set(ages)) == 1 and law is not Law.BEYOND:
        return
    found = probe(RobustnessSpec(law=law, column="age"), SIGNATURE, columns) if _changes(law, ages) else None
    if found is None:
        return
    assert all(found.before[name] == found.after[name] for name in ("income", "city", "one"))
    pairs = list(zip(found.before["age"], found.after["age"], strict=True))
    assert all(new != old for old, new in pairs)
    assert law is not Law.RISING or all(new > old and new in ages for old, new in pairs)
    assert law is not Law.INVARIANT or all(new in ages for _, new in pairs)
    assert law is not Law.BEYOND or all(new < min(ages) or new > max(ages) for _, new in pairs)


def _changes(law: Law, ages: list[int]) -> bool:
    """A draw of other rows' values may be one's own for all rows: with so few there is nothing to be asked then."""
    return law is not Law.INVARIANT or len(ages) > 10


def test_the_same_rows_are_always_asked_and_no_more_than_needed() -> None:
    rule = RobustnessSpec(law=Law.INVARIANT, column="city")
    rows = held_out(5000)
    assert probe(rule, SIGNATURE, rows) == probe(rule, SIGNATURE, rows)
    assert len(probe(rule, SIGNATURE, rows)) <= MOST_ROWS


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({"rising": "x"}, "one of invariant to, rising in"),
        ("rising in x", "one of invariant to, rising in"),
        ({"rising in": "x", "falling in": "y"}, "one of invariant to, rising in"),
        ({"rising in": {"column": "x", "noise": "1%"}}, "rising in knows no noise"),
        ({"answers unseen values of": {"column": "x", "tolerance": 1}}, "knows no tolerance"),
        ({"expects": {"x": 1}}, "`at_least` or `at_most` expected"),
        ({"rising in": {"column": "x", "at_most": 0.02}}, "%"),
    ],
)
def test_a_rule_that_says_nothing_is_refused(rule: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        judged(sound, rule)


def unbounded(columns: Columns) -> list[float]:
    """A straight line, where people asked for a share."""
    return [0.01 * income for income in columns["income"]]


def test_an_answer_beyond_the_range_must_lie_where_it_may() -> None:
    rule = {"answers beyond the range of": {"column": "income", "between": [0, 1]}}
    assert judged(sound, rule)[0].verdict is GateVerdict.PASS
    (result,) = judged(unbounded, rule)
    assert result.verdict is GateVerdict.FAIL
    assert "For example income" in result.detail
    assert judged(unbounded, {"answers beyond the range of": "income"})[0].verdict is GateVerdict.PASS


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({"rising in": {"column": "income", "between": [0, 1]}}, "rising in knows no bounds"),
        ({"answers beyond the range of": {"column": "income", "between": [1, 0]}}, "the lesser number first"),
    ],
)
def test_bounds_that_make_no_sense_are_refused(rule: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        judged(sound, rule)
