"""The parts of a route: a segment with a champion or a rollout of its own, and what there is evidence."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.boundary.routes import OnFailure, Part, Role, Route, Rule, Segmentation
from lockgate.domain.models import ModelVersion, Stage, alias_of, segment_of
from lockgate.domain.projects import Answers, TrafficRule
from lockgate.domain.rollouts import Phase, Plan, Rollout, Strategy
from lockgate.stages.deliver.routes import PREVIEW_HEADER, Apart, route
from lockgate.stages.deliver.segments import concerning, concerns, counts_traffic, keeps_segments, segment_at
from lockgate.testing import builders as a

BY = Segmentation("field:origin", ("JFK", "LGA"))
ANSWERS = Answers(OnFailure.ERROR, 2.0, ("tail",))


def version(number: int, stage: Stage = Stage.NONE) -> ModelVersion:
    return a.version(number, model="m", stage=stage)


GENERAL = version(1, Stage.PRODUCTION)


def rollout(segment: str = "JFK", **fields: Any) -> Rollout:
    own = {"id": f"rollout-{segment}", "model": "m", "segment": segment, "segmentation": BY, "salt": f"salt {segment}"}
    return a.rollout(**{**own, **fields})


def told(rollouts: list[Rollout], champions: dict[str, int] | None = None, retained: dict[str, int] | None = None) -> Route:
    apart = Apart(
        BY,
        {segment: version(number) for segment, number in (champions or {}).items()},
        {segment: version(number) for segment, number in (retained or {}).items()},
    )
    found = route("m", [GENERAL], rollouts, None, ANSWERS, apart=apart)
    assert found is not None
    return found


def arms(of: Route) -> list[tuple[int, str, float]]:
    return [(arm.version, arm.role.value, arm.weight) for arm in of.arms]


def only(of: Route) -> Part:
    (found,) = of.parts
    return found


def test_segments_are_told_apart_also_while_none_is_a_part() -> None:
    assert (told([]).segments, told([]).parts) == (BY, ())


def test_a_segment_with_a_champion_is_answered_by_it_in_the_way_of_the_model() -> None:
    found = told([], {"JFK": 3})
    part = only(found)
    assert (part.segment, arms(part.route)) == ("JFK", [(3, "champion", 1.0), (1, "retained", 0.0)])
    assert arms(found) == [(1, "champion", 1.0)]
    same = (part.route.on_failure, part.route.timeout, part.route.redacted, part.route.segments)
    assert same == (OnFailure.ERROR, 2.0, ("tail",), BY)


def test_its_own_champion_before_is_kept_warm_in_place_of_the_general_one() -> None:
    assert arms(only(told([], {"JFK": 3}, {"JFK": 2})).route) == [(3, "champion", 1.0), (2, "retained", 0.0)]


def test_a_rollout_without_a_champion_there_takes_its_share_from_the_general_one() -> None:
    found = told([rollout()])
    part = only(found).route
    assert arms(part) == [(2, "canary", 0.05), (1, "champion", 0.95)]
    assert (part.salt, part.unit, part.rollout) == ("salt JFK", "header:x-user-id", "rollout-JFK")
    assert (arms(found), found.rollout, found.salt) == ([(1, "champion", 1.0)], None, "")


def test_a_shadow_is_asked_there_only() -> None:
    found = told([rollout(strategy=Strategy.SHADOW, steps=(), share=0.5)], {"JFK": 3})
    part = only(found).route
    assert [(one.version, one.share) for one in part.shadows] == [(2, 0.5)]
    assert (2, "pinned", 0.0) in arms(part)
    assert (found.shadows, found.arms[1:]) == ((), ())


def test_rollouts_in_two_segments_and_one_of_the_rest_stay_apart() -> None:
    rest = a.rollout(id="rest", model="m", version=4, salt="rest")
    found = told([rest, rollout(), rollout("LGA", version=3, step=1)], {"LGA": 5})
    assert [(one.segment, one.route.rollout, arms(one.route)[0]) for one in found.parts] == [
        ("JFK", "rollout-JFK", (2, "canary", 0.05)),
        ("LGA", "rollout-LGA", (3, "canary", 0.5)),
    ]
    assert (found.rollout, arms(found)) == ("rest", [(4, "canary", 0.05), (1, "champion", 0.95)])


def test_who_asks_for_a_preview_in_a_segment_means_the_segments_and_no_other() -> None:
    """The project's rules hold in a part too, after the part's own preview; the general champion's preview is nothing there."""
    ruled = Answers(rules=(TrafficRule(("green",), 1, header=PREVIEW_HEADER), TrafficRule(("crew",), 1, header="x-team")))
    previewed: dict[str, Any] = {"strategy": Strategy.BLUE_GREEN, "phase": Phase.PREVIEW, "steps": ()}
    rest = a.rollout(id="rest", model="m", version=4, **previewed)
    apart = Apart(BY, {"LGA": version(5)})
    found = route("m", [GENERAL], [rest, rollout(**previewed)], None, ruled, apart=apart)
    assert found is not None
    project = Rule(1, ("green",), header=PREVIEW_HEADER), Rule(1, ("crew",), header="x-team")
    general, own = (Rule(number, ("green",), header=PREVIEW_HEADER) for number in (4, 2))
    assert found.rules == (general, *project)
    assert {one.segment: one.route.rules for one in found.parts} == {"JFK": (own, *project), "LGA": project}


def test_without_declared_segments_there_are_no_parts() -> None:
    found = route("m", [GENERAL], [rollout()], None)
    assert found is not None
    assert (found.segments, found.parts, arms(found)) == (None, (), [(1, "champion", 1.0)])


@given(
    st.dictionaries(st.sampled_from(["JFK", "LGA", "EWR"]), st.integers(1, 4)),
    st.lists(st.sampled_from(["", "JFK", "LGA"]), unique=True),
    st.sampled_from(list(Phase)),
    st.integers(-1, 1),
)
def test_whatever_there_is_each_part_has_one_champion_and_its_shares_add_up(
    champions: dict[str, int], places: list[str], phase: Phase, step: int
) -> None:
    if phase in (Phase.PROMOTED, Phase.ABORTED):
        places = []
    found = told([rollout(place, version=9, phase=phase, step=step) for place in places], champions)
    assert {one.segment for one in found.parts} == ({*champions, *places} - {"", "EWR"})
    for one in (found, *(part.route for part in found.parts)):
        assert sum(arm.weight for arm in one.arms) == pytest.approx(1.0)
        assert sum(arm.role is Role.CHAMPION for arm in one.arms) == 1
        assert len({arm.version for arm in one.arms}) == len(one.arms)


# What is evidence


def test_a_segments_rollout_is_about_that_segment_and_the_rests_about_all_that_had_no_champion_then() -> None:
    inside, rest = rollout(), rollout("", apart=("LGA",))
    assert [concerns(inside, segment) for segment in ("JFK", "LGA", "")] == [True, False, False]
    assert [concerns(rest, segment) for segment in ("JFK", "LGA", "")] == [True, False, True]


def test_a_label_belongs_to_the_segment_at_its_place() -> None:
    assert [segment_at(rollout(), place) for place in range(4)] == ["", "JFK", "LGA", ""]
    assert segment_at(a.rollout(), 1) == ""
    cells = [a.cell(segment=segment) for segment in ("", "JFK", "LGA")]
    labels = [a.feedback(segment=place) for place in (0, 1, 2)]
    assert concerning(rollout("LGA"), cells, labels) == ((cells[2],), (labels[2],))
    assert concerning(a.rollout(), cells, labels) == (tuple(cells), tuple(labels))


def test_what_is_judged_by_traffic_or_is_about_a_segment_keeps_segments_as_they_are() -> None:
    judged = [strategy for strategy in Strategy if counts_traffic(Plan(strategy))]
    assert judged == [Strategy.SHADOW, Strategy.CANARY, Strategy.AB, Strategy.BANDIT]
    kept = [rollout(), rollout(strategy=Strategy.REPLACE), rollout("")]
    assert [keeps_segments(one) for one in kept] == [True, True, True]
    assert not keeps_segments(rollout("", strategy=Strategy.REPLACE))
    assert not keeps_segments(replace(rollout(""), environment="staging"))


@given(st.text(min_size=1))
def test_an_alias_names_its_segment(segment: str) -> None:
    assert segment_of(alias_of(segment)) == segment
    assert (segment_of(alias_of("")), segment_of("latest")) == ("", "")
