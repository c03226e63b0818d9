"""Segments with champions of their own: how versions come into them, by whose evidence, and how they go back."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from lockgate.boundary.predictions import Prediction, mint
from lockgate.boundary.records import Record
from lockgate.boundary.routes import LabelEvent, Role, Rule
from lockgate.domain.contests import Contest
from lockgate.domain.events import Action
from lockgate.domain.holds import HoldEnd
from lockgate.domain.models import ModelVersion, RequestState, Stage
from lockgate.domain.projects import After, Champions, Deployment, Environment, ProjectRecord
from lockgate.domain.rollouts import Agreement, JudgePolicy, Phase, Plan, Signal, Strategy
from lockgate.domain.verdicts import JudgeVerdict
from lockgate.kernel.errors import Conflict, Invalid, LockgateError, NotFound, Refused
from lockgate.ports.state import ALIASES, HOLDS, REQUESTS, SHADOW_SCORES, VERSIONS
from lockgate.testing.records import MemoryRecords
from lockgate.usecases.decide_request import approve_request
from lockgate.usecases.find_things import version_of
from lockgate.usecases.pair_labels import pair_labels
from lockgate.usecases.publish_routes import route_table
from lockgate.usecases.register_version import remember_project
from lockgate.usecases.replay_rollout import replay_rollout
from lockgate.usecases.request_transition import request_transition
from lockgate.usecases.roll_back import roll_back
from lockgate.usecases.start_rollout import check_may_leave
from lockgate.usecases.steer_rollout import steer
from lockgate.usecases.world import World
from tests.journeys.airports import (
    ADA,
    BEN,
    CANARY,
    ELSEWHERE,
    JFK,
    LGA,
    POLICY,
    TWO,
    Airports,
    a_world,
    answering,
    ask_for,
    bring_in,
    declare,
    look,
    part,
    route_of,
    tick,
)

EVERYWHERE = {JFK: 100, LGA: 100, ELSEWHERE: 100}


def aliases(world: World) -> dict[str, int]:
    with world.state.read() as tx:
        return {one.name: one.version for one in tx.find(ALIASES, model="m")}


def stages(world: World) -> dict[int, Stage]:
    with world.state.read() as tx:
        return {one.version: one.stage for one in tx.find(VERSIONS)}


def version(world: World, number: int) -> ModelVersion:
    with world.state.read() as tx:
        return version_of(tx, "m", number)


def why_not(world: World, number: int, segment: str) -> LockgateError:
    with pytest.raises(LockgateError) as caught:
        request_transition(world, "m", number, Stage.PRODUCTION, ADA, segment=segment)
    assert caught.value.hint
    return caught.value


def arms(world: World, segment: str) -> list[tuple[int, str, float]]:
    found = part(world, segment)
    assert found is not None
    return [(one.version, one.role.value, one.weight) for one in found.arms]


# A version comes into a segment


def test_a_version_becomes_the_champion_of_one_segment_and_all_others_stay_with_the_general_one() -> None:
    world = a_world()
    bring_in(world, 2, JFK)
    assert answering(world) == {JFK: 2, LGA: 1, ELSEWHERE: 1}
    assert aliases(world) == {"champion:JFK": 2}
    assert (stages(world)[1], stages(world)[2]) == (Stage.PRODUCTION, Stage.NONE)
    assert arms(world, JFK) == [(2, "champion", 1.0), (1, "retained", 0.0)]


def test_nobody_meets_it_before_somebody_else_has_said_yes() -> None:
    world = a_world()
    asked = request_transition(world, "m", 2, Stage.PRODUCTION, ADA, segment=JFK)
    with pytest.raises(Refused):
        approve_request(world, asked.id, ADA)
    assert route_of(world).parts == ()


def test_a_version_may_be_the_champion_of_several_segments() -> None:
    world = a_world()
    bring_in(world, 2, JFK)
    bring_in(world, 2, LGA)
    assert answering(world) == {JFK: 2, LGA: 2, ELSEWHERE: 1}


def test_a_canary_in_a_segment_is_met_there_only_and_judged_by_what_happens_there() -> None:
    world = a_world()
    bring_in(world, 3, LGA)
    rollout = ask_for(world, 2, JFK)
    tick(world)
    assert arms(world, JFK) == [(2, "canary", 0.2), (1, "champion", 0.8)]
    assert [arm.version for arm in route_of(world).arms] == [1]
    airports = Airports(world, failing={(LGA, 3): 1.0, (ELSEWHERE, 1): 0.9})
    ended = airports.run(rollout, EVERYWHERE, 60)
    assert (ended.phase, ended.verdict) == (Phase.PROMOTED, JudgeVerdict.SAFE)
    assert ended.outcome is not None
    assert ended.outcome.requests == airports.asked // 3
    assert answering(world) == {JFK: 2, LGA: 3, ELSEWHERE: 1}
    assert replay_rollout(world, rollout.id).same


def test_harm_in_the_segment_sends_it_home_and_nothing_of_the_registry_was_touched() -> None:
    world = a_world()
    rollout = ask_for(world, 2, JFK)
    tick(world)
    ended = Airports(world, failing={(JFK, 2): 0.5}).run(rollout, EVERYWHERE, 60)
    assert (ended.phase, ended.verdict) == (Phase.ABORTED, JudgeVerdict.HARM)
    assert answering(world) == {JFK: 1, LGA: 1, ELSEWHERE: 1}
    assert part(world, JFK) is None
    assert aliases(world) == {}


def test_one_version_is_tried_in_two_segments_and_each_is_judged_by_its_own() -> None:
    world = a_world()
    one, other = ask_for(world, 2, JFK), ask_for(world, 2, LGA)
    tick(world)
    airports = Airports(world, failing={(LGA, 2): 0.5})
    assert airports.run(other, EVERYWHERE, 60).phase is Phase.ABORTED
    assert look(world, one).phase is Phase.PROGRESSING
    assert airports.run(one, EVERYWHERE, 60).phase is Phase.PROMOTED
    assert answering(world) == {JFK: 2, LGA: 1, ELSEWHERE: 1}


def test_labels_count_by_the_place_of_their_segment() -> None:
    policy = JudgePolicy(metrics=("labels",), label_event=LabelEvent("missed", 0.5), min_units=10**9, requests_per_unit=1)
    world = a_world(replace(CANARY, judge=policy))
    rollout = ask_for(world, 2, LGA)
    tick(world)
    airports = Airports(world, late={(LGA, 2): 0.6, (LGA, 1): 0.1})
    ended = airports.run(rollout, {}, 60, labels={JFK: 40, LGA: 40, ELSEWHERE: 40})
    assert (ended.phase, ended.verdict) == (Phase.ABORTED, JudgeVerdict.HARM)
    assert replay_rollout(world, rollout.id).same


def test_the_rest_is_judged_without_the_segments_that_have_champions() -> None:
    world = a_world()
    bring_in(world, 2, JFK)
    rollout = ask_for(world, 2)  # the segment's champion, for all others too
    tick(world)
    assert (rollout.apart, arms(world, JFK)[0]) == ((JFK,), (2, "champion", 1.0))
    airports = Airports(world, failing={(JFK, 2): 1.0})
    ended = airports.run(rollout, EVERYWHERE, 60)
    assert ended.phase is Phase.PROMOTED
    assert ended.outcome is not None
    assert ended.outcome.requests == airports.asked * 2 // 3
    assert answering(world) == {JFK: 2, LGA: 2, ELSEWHERE: 2}


@pytest.mark.parametrize(
    "plan",
    [
        Plan(Strategy.SHADOW, judge=replace(POLICY, metrics=("agreement",), agreement=Agreement(0.9))),
        Plan(Strategy.AB, judge=POLICY, contest=Contest()),
        Plan(Strategy.BANDIT, judge=POLICY, contest=Contest()),
    ],
)
def test_shadows_and_contests_work_in_a_segment(plan: Plan) -> None:
    world = a_world(plan)
    rollout = ask_for(world, 2, JFK)
    tick(world)
    assert look(world, rollout).phase is Phase.PROGRESSING
    ended = Airports(world, failing={(JFK, 1): 0.3}).run(rollout, EVERYWHERE, 60)
    assert ended.phase is Phase.PROMOTED
    assert answering(world) == {JFK: 2, LGA: 1, ELSEWHERE: 1}
    assert replay_rollout(world, rollout.id).same


def test_a_preview_in_a_segment_is_for_those_there_who_ask_for_it() -> None:
    world = a_world(Plan(Strategy.BLUE_GREEN))
    rollout = ask_for(world, 2, JFK)
    tick(world)
    assert look(world, rollout).phase is Phase.PREVIEW
    found = part(world, JFK)
    assert found is not None
    assert found.rules == (Rule(2, ("green",), header="x-lockgate-preview"),)
    assert route_of(world).rules == ()
    steer(world, rollout.id, Signal.PROMOTE, BEN)
    assert answering(world) == {JFK: 2, LGA: 1, ELSEWHERE: 1}


def test_a_contender_that_was_approved_for_another_segment_only_may_not_answer_here() -> None:
    world = a_world()
    bring_in(world, 3, LGA)
    declare(world, Plan(Strategy.AB, judge=POLICY, contest=Contest(contenders=(3,))))
    with pytest.raises(Refused, match="contender m 3 was neither approved"):
        ask_for(world, 2, JFK)


def test_one_shadow_in_two_segments_meets_the_labels_of_each() -> None:
    policy = JudgePolicy(metrics=("labels",), label_event=LabelEvent("missed", 0.5))
    world = a_world(Plan(Strategy.SHADOW, judge=policy))
    one, other = ask_for(world, 2, JFK), ask_for(world, 2, LGA)
    tick(world)
    with world.state.read() as tx:
        revision = route_table(tx).revision
    ids = [mint(b"secret", "m", Prediction(1, revision, 5, 0.1, 0.0, n, place)) for n, place in enumerate((1, 2, 2))]
    records = MemoryRecords()
    records.append(Record((name,), "m", 2, revision, 0.0, {}, (0.9,), pair=name, shadow=True) for name in ids)
    pair_labels(world, records)
    with world.state.read() as tx:
        waiting = [[score.prediction_id for score in tx.find(SHADOW_SCORES, rollout=rollout.id)] for rollout in (one, other)]
    assert waiting == [ids[:1], ids[1:]]


def test_no_version_is_held_back_in_a_segment() -> None:
    world = a_world(replace(CANARY, hold_back=0.05))
    rollout = ask_for(world, 2, JFK)
    tick(world)
    assert Airports(world).run(rollout, EVERYWHERE, 60).phase is Phase.PROMOTED
    with world.state.read() as tx:
        assert tx.find(HOLDS) == []


# Beside each other


def test_while_the_rest_is_judged_no_segment_begins_and_the_other_way_round() -> None:
    world = a_world()
    general = ask_for(world, 2)
    found = why_not(world, 3, JFK)
    assert isinstance(found, Conflict)
    assert general.id in str(found)
    steer(world, general.id, Signal.ABORT, BEN)
    inside = ask_for(world, 3, JFK)
    found = why_not(world, 2, "")
    assert f"rollout {inside.id} of version 3 into production, segment 'JFK', is preparing" in str(found)


def test_in_one_segment_rollouts_stand_in_each_others_way() -> None:
    world = a_world()
    ask_for(world, 2, JFK)
    assert isinstance(why_not(world, 3, JFK), Conflict)
    assert ask_for(world, 3, LGA).phase is Phase.PREPARING


def test_another_general_champion_ends_what_was_compared_with_the_one_before() -> None:
    world = a_world()
    bring_in(world, 2, LGA)
    with_general, with_own = ask_for(world, 3, JFK), ask_for(world, 3, LGA)
    tick(world)
    assert (with_general.baseline, with_own.baseline) == (1, 2)
    bring_in(world, 4)
    ended, going_on = look(world, with_general), look(world, with_own)
    assert (ended.phase, going_on.phase) == (Phase.ABORTED, Phase.PROGRESSING)
    assert ended.outcome is not None
    assert "version 4 was promoted in place of version 1" in ended.outcome.detail
    assert answering(world) == {JFK: 4, LGA: 2, ELSEWHERE: 4}


def test_a_roll_back_of_the_rest_ends_what_was_compared_with_what_goes() -> None:
    world = a_world()
    bring_in(world, 4)
    inside = ask_for(world, 3, JFK)
    tick(world)
    roll_back(world, "m", BEN)
    assert look(world, inside).phase is Phase.ABORTED
    assert answering(world) == {JFK: 1, LGA: 1, ELSEWHERE: 1}


def test_a_segments_rollout_ends_a_hold_back_for_all_units_are_its_baselines() -> None:
    world = a_world(replace(CANARY, hold_back=0.05))
    rollout = ask_for(world, 2)
    tick(world)
    assert Airports(world).run(rollout, EVERYWHERE, 60).phase is Phase.PROMOTED
    assert [one.role for one in route_of(world).arms] == [Role.CHAMPION, Role.HELD_BACK]
    ask_for(world, 3, JFK)
    with world.state.read() as tx:
        assert [one.end for one in tx.find(HOLDS)] == [HoldEnd.SUPERSEDED]


def test_a_roll_back_of_what_was_apart_leaves_the_guard_of_all_others_on_watch() -> None:
    world = a_world(replace(CANARY, hold_back=0.05))
    bring_in(world, 2, JFK)
    bring_in(world, 3, JFK)
    general = ask_for(world, 4)
    tick(world)
    steer(world, general.id, Signal.PROMOTE, ADA)
    assert roll_back(world, "m", BEN, segment=JFK).version == 2
    assert roll_back(world, "m", BEN, segment=JFK, to=4).falls_back
    with world.state.read() as tx:
        assert [(one.apart, one.end) for one in tx.find(HOLDS)] == [((JFK,), None)]
    assert [one.role for one in route_of(world).arms[:2]] == [Role.CHAMPION, Role.HELD_BACK]
    airports = Airports(world, failing={(JFK, 4): 1.0})
    for _ in range(30):
        world.clock.advance(60)  # type: ignore[attr-defined]
        airports.send(EVERYWHERE, {})
        tick(world)
    with world.state.read() as tx:
        hold = tx.find(HOLDS)[0]
    assert (hold.end, hold.promoted.failed) == (None, 0)  # apart to its end: no evidence, as for a rollout
    airports.failing = {(ELSEWHERE, 4): 0.9}
    for _ in range(30):
        world.clock.advance(60)  # type: ignore[attr-defined]
        airports.send(EVERYWHERE, {})
        tick(world)
    with world.state.read() as tx:
        assert tx.find(HOLDS)[0].end is HoldEnd.HARM


def test_what_is_asked_for_in_a_segment_that_was_apart_ends_a_hold_back_too() -> None:
    world = a_world(replace(CANARY, hold_back=0.05))
    bring_in(world, 2, JFK)
    general = ask_for(world, 4)
    tick(world)
    steer(world, general.id, Signal.PROMOTE, ADA)
    ask_for(world, 3, JFK)
    with world.state.read() as tx:
        assert [(one.apart, one.end) for one in tx.find(HOLDS)] == [((JFK,), HoldEnd.SUPERSEDED)]


def test_what_a_segments_champion_does_is_no_evidence_after_a_promotion_either() -> None:
    world = a_world(replace(CANARY, hold_back=0.2, steps=(0.5,)))
    bring_in(world, 2, JFK)
    rollout = ask_for(world, 2)
    tick(world)
    airports = Airports(world)
    assert airports.run(rollout, EVERYWHERE, 60).phase is Phase.PROMOTED
    airports.failing = {(JFK, 2): 1.0}
    for _ in range(30):
        world.clock.advance(60)  # type: ignore[attr-defined]
        airports.send(EVERYWHERE, {})
        tick(world)
    with world.state.read() as tx:
        hold = tx.find(HOLDS)[0]
    assert (hold.end, hold.promoted.failed) == (None, 0)
    airports.failing = {(ELSEWHERE, 2): 0.9}
    for _ in range(30):
        world.clock.advance(60)  # type: ignore[attr-defined]
        airports.send(EVERYWHERE, {})
        tick(world)
    with world.state.read() as tx:
        assert tx.find(HOLDS)[0].end is HoldEnd.HARM


# Back


def test_a_segment_goes_back_to_its_champion_before() -> None:
    world = a_world()
    bring_in(world, 2, JFK)
    bring_in(world, 3, JFK)
    assert arms(world, JFK) == [(3, "champion", 1.0), (2, "retained", 0.0)]
    done = roll_back(world, "m", BEN, "too many complaints", segment=JFK)
    assert (done.version, done.baseline, done.phase, done.back) == (2, 3, Phase.PROMOTED, True)
    assert answering(world)[JFK] == 2
    assert arms(world, JFK) == [(2, "champion", 1.0), (3, "retained", 0.0)]
    assert aliases(world) == {"champion:JFK": 2}


def test_a_segment_that_had_no_champion_before_falls_back_to_the_general_one() -> None:
    world = a_world()
    bring_in(world, 2, JFK)
    done = roll_back(world, "m", BEN, segment=JFK)
    assert (done.version, done.falls_back) == (1, True)
    assert answering(world) == {JFK: 1, LGA: 1, ELSEWHERE: 1}
    assert part(world, JFK) is None
    assert aliases(world) == {}
    with pytest.raises(NotFound, match="has no champion of its own to go back from"):
        roll_back(world, "m", BEN, segment=JFK)
    bring_in(world, 3, JFK)
    assert roll_back(world, "m", BEN, segment=JFK).falls_back


def test_it_falls_back_to_the_general_champion_of_now() -> None:
    world = a_world()
    bring_in(world, 2, JFK)
    bring_in(world, 4)
    assert arms(world, JFK) == [(2, "champion", 1.0), (4, "retained", 0.0)]
    roll_back(world, "m", BEN, segment=JFK)
    assert answering(world) == {JFK: 4, LGA: 4, ELSEWHERE: 4}


def test_a_roll_back_that_is_given_twice_does_not_undo_itself() -> None:
    world = a_world()
    bring_in(world, 2, JFK)
    bring_in(world, 3, JFK)
    roll_back(world, "m", BEN, segment=JFK)
    with pytest.raises(Refused, match="came into segment 'JFK' by a roll-back from version 3") as caught:
        roll_back(world, "m", BEN, segment=JFK)
    assert caught.value.hint is not None
    assert "--to 3" in caught.value.hint
    with pytest.raises(Refused, match="version 5 of m is not kept warm for segment 'JFK'; 3 is, and the general champion 1"):
        roll_back(world, "m", BEN, segment=JFK, to=5)
    assert roll_back(world, "m", BEN, segment=JFK, to=3).version == 3
    assert roll_back(world, "m", BEN, segment=JFK, to=1).falls_back
    assert answering(world)[JFK] == 1


def test_with_a_rollout_under_way_there_its_abort_is_the_roll_back() -> None:
    world = a_world()
    bring_in(world, 2, JFK)
    rollout = ask_for(world, 3, JFK)
    elsewhere = ask_for(world, 3, LGA)
    assert roll_back(world, "m", BEN, segment=JFK).id == rollout.id
    assert (look(world, rollout).phase, look(world, elsewhere).phase) == (Phase.ABORTED, Phase.PREPARING)
    assert answering(world)[JFK] == 2


def test_a_roll_back_of_a_segment_leaves_the_rest_as_it_is_also_while_that_is_judged() -> None:
    world = a_world()
    bring_in(world, 2, JFK)
    general = ask_for(world, 3)
    tick(world)
    roll_back(world, "m", BEN, segment=JFK)
    assert answering(world)[JFK] == 1
    airports = Airports(world, failing={(JFK, 3): 1.0})  # it was apart when the rollout began, and is to the end
    assert airports.run(general, EVERYWHERE, 60).phase is Phase.PROMOTED


# Stages


def test_the_champion_of_a_segment_keeps_answering_when_the_general_promotion_archives_it() -> None:
    world = a_world()
    bring_in(world, 3, JFK)
    bring_in(world, 3)
    bring_in(world, 4)
    assert stages(world)[3] is Stage.ARCHIVED
    assert answering(world) == {JFK: 3, LGA: 4, ELSEWHERE: 4}
    assert roll_back(world, "m", BEN, segment=JFK).falls_back


def test_who_answers_a_segment_cannot_be_taken_away() -> None:
    world = a_world()
    bring_in(world, 2, JFK)
    with world.state.read() as tx:
        with pytest.raises(Conflict, match="m 2 is the champion of segment 'JFK'"):
            check_may_leave(tx, version(world, 2))
        with pytest.raises(Conflict, match="m 1 answers all but 'JFK', which fall back to it"):
            check_may_leave(tx, version(world, 1))
        check_may_leave(tx, version(world, 3))
    ask_for(world, 3, LGA)
    with world.state.read() as tx, pytest.raises(Conflict, match="m 3 takes part in rollout"):
        check_may_leave(tx, version(world, 3))


def test_the_general_champion_can_be_archived_when_the_champions_of_segments_are_taken_back() -> None:
    world = a_world(Plan())
    bring_in(world, 2, JFK)
    declare(world, Plan(), None)
    with world.state.read() as tx, pytest.raises(Conflict) as refused:
        check_may_leave(tx, version(world, 1))
    assert "in force or not: lockgate rollback m --segment SEGMENT" in (refused.value.hint or "")
    roll_back(world, "m", BEN, segment=JFK)
    with world.state.read() as tx:
        check_may_leave(tx, version(world, 1))


def test_a_segments_champion_goes_through_staging_once_more_to_come_in_elsewhere() -> None:
    world = a_world(Plan())
    with world.state.write() as tx:
        production = Environment(Plan(), champions=TWO, after=After("staging"))
        remember_project(tx, ProjectRecord("m", "/p", Deployment.MANUAL, {"production": production}), ADA, world.clock.now())

    def into_staging(number: int) -> None:
        approve_request(world, request_transition(world, "m", number, Stage.STAGING, ADA).id, BEN)
        tick(world)

    into_staging(2)
    ask_for(world, 2, JFK)
    tick(world)
    into_staging(3)
    with pytest.raises(Refused, match="m 2 stands in Archived, Staging expected") as refused:
        ask_for(world, 2)
    assert refused.value.hint == "lockgate request m 2 --to Staging"
    into_staging(2)
    assert (stages(world)[2], answering(world)[JFK], aliases(world)) == (Stage.STAGING, 2, {"champion:JFK": 2})
    ask_for(world, 2)
    tick(world)
    assert answering(world) == {JFK: 2, LGA: 2, ELSEWHERE: 2}


def test_a_request_for_a_segment_ends_with_the_version_being_there_and_one_for_the_rest_does_not() -> None:
    world = a_world(Plan())
    first = request_transition(world, "m", 2, Stage.PRODUCTION, ADA, segment=JFK)
    with pytest.raises(Conflict, match="already asks for this"):
        request_transition(world, "m", 2, Stage.PRODUCTION, ADA, segment=JFK)
    rest = request_transition(world, "m", 2, Stage.PRODUCTION, ADA)
    approve_request(world, rest.id, BEN)
    tick(world)
    with world.state.read() as tx:
        assert [one.state for one in tx.find(REQUESTS)] == [RequestState.OPEN, RequestState.APPROVED]
    with pytest.raises(Conflict, match="m 2 answers segment 'JFK' already, as the general champion"):
        approve_request(world, first.id, BEN)


def test_events_name_the_segment() -> None:
    world = a_world()
    bring_in(world, 2, JFK)
    roll_back(world, "m", BEN, segment=JFK)
    with world.state.read() as tx:
        happened = [one.happened for one in tx.events(model="m")]
    told = {one.action for one in happened if one.details.get("segment") == JFK}
    assert told == {
        Action.REQUEST_CREATED,
        Action.REQUEST_APPROVED,
        Action.ROLLOUT_STARTED,
        Action.ROLLOUT_PROMOTED,
        Action.ALIAS_SET,
        Action.ROLLED_BACK,
        Action.ALIAS_REMOVED,
    }


# The project file


def test_a_segment_that_the_project_file_names_no_more_is_the_general_champions_and_its_alias_stays() -> None:
    world = a_world()
    bring_in(world, 2, JFK)
    declare(world, champions=Champions("field:origin", (LGA,)))
    assert answering(world) == {JFK: 1, LGA: 1, ELSEWHERE: 1}
    assert aliases(world) == {"champion:JFK": 2}
    declare(world, champions=TWO)
    assert answering(world)[JFK] == 2
    declare(world, champions=None)
    assert route_of(world).segments is None
    assert roll_back(world, "m", BEN, segment=JFK).falls_back
    assert aliases(world) == {}


def test_what_is_changed_in_the_project_file_takes_effect_when_what_is_compared_has_ended() -> None:
    world = a_world()
    bring_in(world, 2, JFK)
    rollout = ask_for(world, 3, JFK)
    tick(world)
    declare(world, champions=Champions("field:origin", ("EWR", LGA)))
    segments = route_of(world).segments
    assert segments is not None
    assert segments.values == (JFK, LGA)
    found = why_not(world, 4, "EWR")
    assert isinstance(found, Conflict)
    assert rollout.id in (found.hint or "")
    steer(world, rollout.id, Signal.ABORT, BEN)
    segments = route_of(world).segments
    assert segments is not None
    assert segments.values == ("EWR", LGA)
    assert answering(world)[JFK] == 1


def test_a_hold_back_does_not_keep_a_new_segment_from_having_a_champion() -> None:
    world = a_world(replace(CANARY, hold_back=0.05, held=timedelta(days=7).total_seconds()))
    rollout = ask_for(world, 2)
    tick(world)
    assert Airports(world).run(rollout, EVERYWHERE, 60).phase is Phase.PROMOTED
    declare(world, champions=Champions("field:origin", ("EWR",)))
    segments = route_of(world).segments
    assert segments is not None
    assert segments.values == (JFK, LGA)  # labels of the weeks before are told apart by these
    opened = ask_for(world, 3, "EWR")
    assert opened.segmentation is not None
    assert opened.segmentation.values == ("EWR",)


# What cannot be


def test_bad_input_says_what_to_do_next() -> None:
    world = a_world()
    found = why_not(world, 2, "SFO")
    assert isinstance(found, Invalid)
    assert found.message == "segment 'SFO' found, one of JFK, LGA expected (field:origin)"
    bring_in(world, 2, JFK)
    assert "m 2 answers segment 'JFK' already, as its own champion" in str(why_not(world, 2, JFK))
    assert "m 1 answers segment 'LGA' already, as the general champion" in str(why_not(world, 1, LGA))
    declare(world, champions=None)
    assert "lets no segment have a champion" in str(why_not(world, 2, LGA))
    with pytest.raises(Invalid, match="only production has segments"):
        request_transition(world, "m", 3, Stage.STAGING, ADA, segment=JFK)
    with pytest.raises(Invalid, match="only Production has segments"):
        request_transition(world, "m", 3, Stage.ARCHIVED, ADA, segment=JFK)
    with pytest.raises(NotFound, match="has no champion of its own") as caught:
        roll_back(world, "m", BEN, segment="SFO")
    assert caught.value.hint is not None
    assert "'JFK' (version 2)" in caught.value.hint


def test_what_learns_online_learns_from_all_traffic() -> None:
    world = a_world(Plan(Strategy.ONLINE))
    found = why_not(world, 2, JFK)
    assert isinstance(found, Invalid)
    assert "strategy online found, another one expected" in str(found)


def test_without_a_general_champion_no_segment_has_one() -> None:
    world = a_world(Plan())
    with world.state.write() as tx:
        tx.put(VERSIONS, replace(version(world, 1), stage=Stage.ARCHIVED))
    assert "nothing of m is in Production" in str(why_not(world, 2, JFK))


def test_the_general_champion_may_be_pinned_to_a_segment_that_has_another_one() -> None:
    world = a_world()
    bring_in(world, 2, JFK)
    bring_in(world, 1, JFK)
    bring_in(world, 4)
    assert answering(world) == {JFK: 1, LGA: 4, ELSEWHERE: 4}
