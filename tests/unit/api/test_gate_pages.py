"""Pages of gates: what was measured is drawn against its limit, and who answers for what did not pass is said."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.domain.runs import RunStatus
from lockgate.domain.verdicts import GateResult, GateVerdict
from lockgate.entrypoints.reading.gates import Standing, gates_clause
from lockgate.entrypoints.ui.gate_pictures import figures, measured, parts
from lockgate.ports.state import RUNS, WAIVERS
from lockgate.stages.decide.waiving import waive
from lockgate.testing import builders
from lockgate.testing.builders import gate_result
from lockgate.testing.company import waiver
from lockgate.usecases.register_version import register_version
from tests.samples.asgi import client_of
from tests.samples.story import ANN, Story, begin

FAIR: dict[str, Any] = {
    "n": 3000,
    "groups": {
        "false_negative_rate": {
            "JFK": {"rate": 0.26, "low": 0.21, "high": 0.32, "n": 311},
            "LGA": {"rate": 0.46, "low": 0.41, "high": 0.52, "n": 326},
        }
    },
    "low": 1.3,
    "high": 2.2,
    "limit": 1.25,
}
UNFAIR = gate_result(
    gate="fairness", rule="false_negative_rate by origin: max_ratio 1.25", verdict=GateVerdict.FAIL, detail="twice", measured=FAIR
)
numbers = st.floats(-100, 100)


@given(st.lists(numbers, min_size=3, max_size=3).map(sorted), numbers)
def test_an_interval_is_drawn_in_its_order_and_on_the_side_of_its_limit(values: list[float], limit: float) -> None:
    low, point, high = values
    drawn = measured(gate_result(measured={"low": low, "point": point, "high": high, "limit": limit}))
    assert drawn is not None
    span = drawn.span
    assert span.point is not None
    assert span.limit is not None
    assert 0 <= span.low <= span.point <= span.high <= 100
    assert (span.low >= span.limit) or low < limit or span.low == pytest.approx(span.limit, abs=0.02)
    assert span.good == "right", "`auc >= 0.65` is good above it"


def test_each_kind_of_figure_finds_its_limit() -> None:
    margin = {"point": 0.001, "low": -0.003, "high": 0.005, "margin": 0.005}
    worse = measured(gate_result(rule="auc not worse than champion by 0.005", measured=margin))
    assert worse is not None
    assert (worse.limit, worse.span.good) == (-0.005, "right")

    difference = measured(UNFAIR)
    assert difference is not None
    assert (difference.limit, difference.span.point, difference.span.good) == (1.25, None, "left")

    broken = measured(
        gate_result(rule="rising in distance", measured={"rows": 200, "broken": 4, "low": 0.005, "high": 0.05, "limit": 0.01})
    )
    assert broken is not None
    assert broken.span.point is not None
    assert broken.span.limit is not None
    assert broken.span.limit < broken.span.point, "2 % of the rows, and 1 % may"

    slow = {"measured": 4.5, "limit": 5.0, "requests": 2000, "slow": 7, "low": 0.001, "high": 0.007, "allowed": 0.01}
    latency = measured(gate_result(rule="p99_ms <= 5", measured=slow))
    assert latency is not None
    assert latency.limit == 0.01, "what is judged is the share of slow requests, not the milliseconds"

    size = measured(gate_result(rule="size_mb <= 1", measured={"measured": 0.42, "limit": 1.0}))
    assert size is not None
    assert (size.low, size.high, size.limit) == (0.42, 0.42, 1.0)

    for nothing in ({}, {"n": 20}, {"score": 0.3}, {"rows": 0, "broken": 0, "limit": 0.01}):
        assert measured(gate_result(measured=nothing)) is None


def test_what_has_no_bound_reaches_the_edge() -> None:
    drawn = measured(gate_result(rule="by origin: max_ratio 1.25", measured={"low": 1.3, "high": None, "limit": 1.25}))
    assert drawn is not None
    assert (drawn.high, drawn.span.high) == (None, 100.0)
    assert figures(gate_result(measured={"low": 1.3, "high": None})) == {"low": 1.3, "high": "no bound"}


def test_groups_slices_and_features_are_drawn_on_one_scale_each() -> None:
    (rates,) = parts(UNFAIR)
    assert (rates.title, [part.name for part in rates.parts]) == ("false_negative_rate", ["JFK", "LGA"])
    first, second = (part.span for part in rates.parts)
    assert first.high < second.low

    slices = {"JFK": {"point": 0.01, "low": -0.002, "high": 0.02, "n": 900}}
    (sliced,) = parts(gate_result(measured={"margin": 0.005, "slices": slices}))
    assert sliced.parts[0].span.limit is not None
    assert sliced.parts[0].span.limit < sliced.parts[0].span.low

    (features,) = parts(gate_result(measured={"limit": 0.9, "features": {"carrier": 0.5, "dep_delay": 0.95}}))
    assert [part.name for part in features.parts] == ["dep_delay", "carrier"]
    assert not features.with_intervals

    worst = {"metric": "log_loss", "slices": [{"slice": "LGA × 6", "n": 214, "loss": 0.9, "rest": 0.4, "low": 0.3}]}
    (found,) = parts(gate_result(measured=worst))
    assert [(part.name, part.value, part.n) for part in found.parts] == [("LGA × 6", 0.9, 214)]
    assert found.parts[0].span.low < found.parts[0].span.high
    assert figures(gate_result(measured=worst)) == {"metric": "log_loss"}

    far = {"rows": 4000, "limit": 0.2, "features": {"hour": {"psi": 0.3, "low": 0.21, "high": 0.4, "n": 4000}}}
    (skewed,) = parts(gate_result(measured=far))
    assert skewed.parts[0].span.limit is not None
    assert skewed.parts[0].span.limit < skewed.parts[0].span.low
    assert measured(gate_result(measured=far)) is None
    assert parts(gate_result()) == ()


def test_the_clause_counts_what_passed_what_is_waived_and_what_is_neither() -> None:
    failed = gate_result(verdict=GateVerdict.FAIL)
    (covered,) = waive([failed], [waiver()], 1, waiver().granted_at)
    assert gates_clause([Standing(gate_result())]) == "1 of 1 gates passed"
    said = gates_clause([Standing(gate_result()), Standing(covered), Standing(failed)])
    assert said == "1 of 3 gates passed, 1 is waived, 1 did not pass"


def registered(story: Story, *gates: GateResult) -> None:
    now = story.clock.now()
    with story.world.state.write() as tx:
        tx.put(WAIVERS, waiver(gate="fairness", why="agreed <b>on Monday</b>", granted_at=now, until=now + timedelta(days=2)))
        waived = waive(gates, tx.find(WAIVERS), 1, now)
    digests = {name: builders.digest(name) for name in ("digest", "evaluation", "reference")}
    register_version(story.world, builders.run(created_at=now, gates=waived), ANN, project=builders.project(), **digests)


def test_a_waived_gate_is_shown_with_who_until_and_why_and_after_its_end_with_what_was_measured() -> None:
    story = begin()
    registered(story, gate_result(), UNFAIR)
    client = client_of(story)
    for page in (f"/models/{builders.MODEL}/versions/1", f"/models/{builders.MODEL}/versions/1/evidence"):
        text = client.page(page).text
        assert "WAIVED" in text
        assert "Waived by ben until" in text
        assert "agreed &lt;b&gt;on Monday&lt;/b&gt;" in text
        assert "Measured: FAIL" in text
    assert "1 of 2 gates passed, 1 is waived." in client.page(f"/models/{builders.MODEL}/versions/1/evidence").text
    assert "Waived gates" in client.page(f"/models/{builders.MODEL}").text
    assert "1 of 2 gates passed, 1 waived" in client.page("/").text

    story.pass_time(days=2)
    text = client.page(f"/models/{builders.MODEL}/versions/1/evidence").text
    assert "No longer waived: ben had answered for it until" in text
    assert "WAIVED" not in text
    assert "1 of 2 gates passed, 1 did not pass." in text
    assert "Waived gates" not in client.page(f"/models/{builders.MODEL}").text


def test_the_evidence_page_has_every_gate_its_groups_and_what_was_judged() -> None:
    story = begin()
    registered(story, gate_result(), UNFAIR)
    text = client_of(story).page(f"/models/{builders.MODEL}/versions/1/evidence").text
    for told in ("auc &gt;= 0.65", "false_negative_rate by origin", "LGA", "0.41 to 0.52", builders.digest("evaluation"), "326"):
        assert told in text


def test_a_refused_run_shows_its_gates_and_their_groups() -> None:
    story = begin()
    with story.world.state.write() as tx:
        tx.put(RUNS, builders.run(status=RunStatus.REFUSED, gates=(UNFAIR,), error="gate fairness: twice"))
    text = client_of(story).page("/runs/run-1").text
    for told in ("FAIL", "1.3 to 2.2; limit 1.25", "JFK", "0.21 to 0.32"):
        assert told in text
