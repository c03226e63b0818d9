"""What a waiver does to a verdict: it stands in for it while it holds, for what it names, and it measures nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.domain.verdicts import GateResult, GateVerdict, worst
from lockgate.domain.waivers import Waiver
from lockgate.stages.decide.waiving import effective, holds, unpassed, waive
from lockgate.testing.builders import gate_result
from lockgate.testing.clock import START
from lockgate.testing.company import waiver

MEASURED = (GateVerdict.PASS, GateVerdict.FAIL, GateVerdict.INCONCLUSIVE, GateVerdict.ERROR)
NOW = START + timedelta(hours=1)

gates = st.sampled_from(["quality", "fairness"])
rules = st.sampled_from(["auc >= 0.65", "brier <= 0.2"])
moments = st.integers(-100, 100).map(lambda hours: START + timedelta(hours=hours))


@st.composite
def waivers(draw: st.DrawFn) -> list[Waiver]:
    made = st.builds(
        waiver,
        gate=gates,
        rule=st.sampled_from(["", "auc >= 0.65", "brier <= 0.2"]),
        version=st.integers(0, 3),
        granted_at=moments,
        until=moments,
        withdrawn_at=st.none() | moments,
    )
    return [replace(one, id=f"waiver-{number}") for number, one in enumerate(draw(st.lists(made, max_size=6)))]


results = st.lists(st.builds(gate_result, gate=gates, rule=rules, verdict=st.sampled_from(MEASURED)), max_size=5)


def says(result: GateResult, *granted: Waiver, version: int = 1, now: datetime = NOW) -> GateVerdict:
    return effective(result, granted, version, now)


@pytest.mark.parametrize("verdict", [GateVerdict.FAIL, GateVerdict.INCONCLUSIVE, GateVerdict.ERROR])
def test_what_did_not_pass_can_be_waived(verdict: GateVerdict) -> None:
    assert says(gate_result(verdict=verdict), waiver()) is GateVerdict.WAIVED
    assert says(gate_result(verdict=verdict)) is verdict


def test_what_passed_stays_passed() -> None:
    assert says(gate_result(), waiver()) is GateVerdict.PASS
    (one,) = waive([gate_result()], [waiver()], 1, NOW)
    assert one.waived is None


def test_it_holds_from_its_grant_to_its_end_and_no_longer() -> None:
    failed, granted = gate_result(verdict=GateVerdict.FAIL), waiver(granted_at=START, until=START + timedelta(days=1))
    assert says(failed, granted, now=START) is GateVerdict.WAIVED
    assert says(failed, granted, now=START + timedelta(days=1, microseconds=-1)) is GateVerdict.WAIVED
    assert says(failed, granted, now=START + timedelta(days=1)) is GateVerdict.FAIL
    assert says(failed, granted, now=START - timedelta(seconds=1)) is GateVerdict.FAIL


def test_withdrawn_is_withdrawn() -> None:
    failed = gate_result(verdict=GateVerdict.FAIL)
    assert says(failed, waiver(withdrawn_at=NOW)) is GateVerdict.FAIL
    assert says(failed, waiver(withdrawn_at=NOW), waiver(id="waiver-2")) is GateVerdict.WAIVED


def test_it_helps_what_it_names_and_nothing_else() -> None:
    failed = gate_result(verdict=GateVerdict.FAIL, rule="auc >= 0.65")
    assert says(failed, waiver(rule="auc >= 0.65", version=1)) is GateVerdict.WAIVED
    assert says(failed, waiver(rule="auc >= 0.66")) is GateVerdict.FAIL
    assert says(failed, waiver(version=2)) is GateVerdict.FAIL
    assert says(failed, waiver(gate="fairness")) is GateVerdict.FAIL
    assert says(failed, waiver(version=0), version=7) is GateVerdict.WAIVED


def test_the_result_says_who_answers_for_it_and_keeps_what_was_measured() -> None:
    failed = gate_result(verdict=GateVerdict.FAIL)
    short, long = waiver(by="ben", until=START + timedelta(days=1)), waiver(id="waiver-2", by="carl", why="agreed")
    (one,) = waive([failed], [long, short], 1, NOW)
    assert one.waived is not None
    assert (one.waived.waiver, one.waived.by, one.waived.why, one.waived.until) == ("waiver-2", "carl", "agreed", long.until)
    assert (one.verdict, one.judged) == (GateVerdict.FAIL, GateVerdict.WAIVED)
    assert replace(one, waived=None) == failed


def test_a_waived_gate_is_worse_than_one_that_passed_and_better_than_one_that_did_not() -> None:
    assert worst([GateVerdict.PASS, GateVerdict.WAIVED]) is GateVerdict.WAIVED
    assert worst([GateVerdict.WAIVED, GateVerdict.INCONCLUSIVE]) is GateVerdict.INCONCLUSIVE


@given(results, waivers(), st.integers(1, 3), moments)
def test_waiving_agrees_with_the_verdict_in_effect_and_touches_nothing_else(
    judged: list[GateResult], granted: list[Waiver], version: int, now: datetime
) -> None:
    waived = waive(judged, granted, version, now)
    assert [one.judged for one in waived] == [effective(one, granted, version, now) for one in judged]
    assert [replace(one, waived=None) for one in waived] == judged
    assert waive(waived, granted, version, now) == waived, "a second time changes nothing"
    assert waive(waived, (), version, now) == tuple(judged), "without waivers nothing remains of them"
    missed = [one for one in judged if effective(one, granted, version, now) not in (GateVerdict.PASS, GateVerdict.WAIVED)]
    assert list(unpassed(judged, granted, version, now)) == missed


@given(results, waivers(), st.integers(1, 3), moments)
def test_only_a_waiver_that_holds_now_and_names_the_gate_waives(
    judged: list[GateResult], granted: list[Waiver], version: int, now: datetime
) -> None:
    by_id = {one.id: one for one in granted}
    for one in waive(judged, granted, version, now):
        fitting = [
            each
            for each in granted
            if holds(each, now) and each.gate == one.gate and each.rule in ("", one.rule) and each.version in (0, version)
        ]
        if one.waived is not None:
            assert by_id[one.waived.waiver] in fitting
            assert one.waived.until == max(each.until for each in fitting)
        else:
            assert one.verdict is GateVerdict.PASS or not fitting


@given(results, waivers(), st.integers(1, 3), moments)
def test_fewer_waivers_never_help(judged: list[GateResult], granted: list[Waiver], version: int, now: datetime) -> None:
    for one in judged:
        if effective(one, granted[1:], version, now) is GateVerdict.WAIVED:
            assert effective(one, granted, version, now) is GateVerdict.WAIVED
