"""Held-out rows that were learned, and features that give the label away, are found; a clean split passes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from lockgate.domain.data import Split
from lockgate.domain.packages import SplitFacts
from lockgate.domain.verdicts import GateVerdict
from lockgate.integrations.sklearn.features import features_of
from lockgate.integrations.sklearn.split_facts import split_facts
from lockgate.stages.decide.gates.split import judge_split
from lockgate.stages.decide.split_spec import SplitSpec

LIMITS = SplitSpec(max_overlap=0.01, max_single_feature=0.98)


def frame(rows: int, seed: int) -> tuple[pd.DataFrame, pd.Series]:
    """The label is likelier where x is great and in one city."""
    random = np.random.default_rng(seed)
    x, city = random.normal(size=rows), random.choice(["Bern", "Chur"], rows)
    chance = 1 / (1 + np.exp(-x - (city == "Bern")))
    label = pd.Series((random.random(rows) < chance).astype(int))
    return pd.DataFrame({"x": x, "city": city, "n": random.integers(0, 9, rows)}), label


def split(train: int = 2000, test: int = 1000) -> Split:
    (x_train, y_train), (x_test, y_test) = frame(train, 0), frame(test, 1)
    return Split(x_train, y_train, x_test, y_test)


def facts(found: Split) -> SplitFacts:
    return split_facts(features_of(found), found.y_train, found.y_test)


def verdicts(found: Split) -> list[GateVerdict]:
    return [one.verdict for one in judge_split(LIMITS, facts(found))]


def test_a_clean_split_passes() -> None:
    found = facts(split())
    assert (found.held_out, found.overlapping) == (1000, 0)
    assert 0.6 < found.single["x"] < 0.9
    assert 0.5 < found.single["city"] < 0.7
    assert verdicts(split()) == [GateVerdict.PASS] * 2


def test_rows_that_were_learned_are_counted() -> None:
    clean = split()
    x_test = pd.concat([clean.x_test[:950], clean.x_train[:50]], ignore_index=True)
    mixed = Split(clean.x_train, clean.y_train, x_test, clean.y_test)
    assert facts(mixed).overlapping == 50
    overlap, _ = judge_split(LIMITS, facts(mixed))
    assert overlap.verdict is GateVerdict.FAIL
    assert "50 of 1,000 held-out rows" in overlap.detail


@pytest.mark.parametrize("text", [False, True])
def test_a_feature_that_says_the_label_is_named(*, text: bool) -> None:
    clean = split()
    said = [labels.map({0: "on time", 1: "late"}) if text else labels * 10.0 for labels in (clean.y_train, clean.y_test)]
    leaking = Split(clean.x_train.assign(arrival=said[0]), clean.y_train, clean.x_test.assign(arrival=said[1]), clean.y_test)
    _, leak = judge_split(LIMITS, facts(leaking))
    assert leak.verdict is GateVerdict.FAIL
    assert leak.detail.startswith("arrival alone tell the label (arrival: 1)")


def test_numbers_are_told_by_the_share_of_their_variance() -> None:
    clean = split()
    truth = [frame.x * 3 + 1 for frame in (clean.x_train, clean.x_test)]
    found = facts(Split(clean.x_train, truth[0], clean.x_test, truth[1]))
    assert found.single["x"] > 0.95
    assert found.single["city"] < 0.1


def test_missing_values_and_unseen_texts_are_no_obstacle() -> None:
    clean = split()
    x_train = clean.x_train.assign(x=clean.x_train.x.where(clean.x_train.n > 2))
    x_test = clean.x_test.assign(city=clean.x_test.city.where(clean.x_test.n > 2, "Zug"))
    assert set(facts(Split(x_train, clean.y_train, x_test, clean.y_test)).single) == {"x", "city", "n"}


def test_that_a_value_is_missing_may_say_the_label() -> None:
    clean = split()
    late = [labels == 1 for labels in (clean.y_train, clean.y_test)]
    x = [
        frame.x.where(~one) + 10.0 * shift
        for shift, (frame, one) in enumerate(zip((clean.x_train, clean.x_test), late, strict=True))
    ]
    leaking = Split(clean.x_train.assign(x=x[0]), clean.y_train, clean.x_test.assign(x=x[1]), clean.y_test)
    assert facts(leaking).single["x"] > 0.99


def test_numbers_without_bounds_and_rare_classes_are_no_obstacle() -> None:
    clean = split(30_000, 1000)
    odd = clean.x_train.x.where(clean.x_train.n > 0, np.inf).where(clean.x_train.n > 1, -1e300)
    rare = pd.Series(np.arange(30_000) % 15_000 == 7).astype(int)
    found = facts(Split(clean.x_train.assign(x=odd), rare, clean.x_test, clean.y_test))
    assert all(0 <= told <= 1 for told in found.single.values())
    others = pd.Series(["maybe", "never"] * 500)
    assert facts(Split(clean.x_train, clean.y_train, clean.x_test, others)).single == {}, "classes that nobody learned"


def test_what_is_not_known_is_no_pass_and_what_is_not_asked_is_not_judged() -> None:
    assert [one.verdict for one in judge_split(LIMITS, None)] == [GateVerdict.ERROR] * 2
    three = split()
    labels = [pd.Series(np.arange(len(one)) % 3).map(str) for one in (three.y_train, three.y_test)]
    assert facts(Split(three.x_train, labels[0], three.x_test, labels[1])).single == {}
    assert judge_split(SplitSpec(), None) == ()
