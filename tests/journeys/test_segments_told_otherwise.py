"""The project file tells segments by another header or field, with the same values: that is another part of the traffic."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lockgate.domain.contests import Contest
from lockgate.domain.models import RequestState, Stage, TransitionRequest
from lockgate.domain.projects import Champions
from lockgate.domain.rollouts import Phase, Plan, Signal, Strategy
from lockgate.entrypoints.reading.segments import live_segments, segment_clause
from lockgate.kernel.errors import Refused
from lockgate.ports.state import ALIASES, HOLDS, REQUESTS
from lockgate.usecases.decide_request import approve_request, reject_request
from lockgate.usecases.request_transition import request_transition
from lockgate.usecases.roll_back import roll_back
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

DESTINATION = Champions("field:destination", (JFK, LGA))


def champions(world: World) -> dict[str, int]:
    with world.state.read() as tx:
        return {one.name: one.version for one in tx.find(ALIASES, model="m")}


def told(world: World) -> list[str]:
    with world.state.read() as tx:
        return [clause for clause in map(segment_clause, live_segments(tx, ["m"])["m"]) if clause]


def asked(world: World, version: int = 2) -> TransitionRequest:
    return request_transition(world, "m", version, Stage.PRODUCTION, ADA, segment=JFK)


def test_a_champion_of_flights_from_there_does_not_answer_flights_to_there() -> None:
    world = a_world()
    bring_in(world, 2, JFK)
    declare(world, champions=DESTINATION)
    assert route_of(world).segments == DESTINATION.segmentation
    assert answering(world) == {JFK: 1, LGA: 1, ELSEWHERE: 1}
    assert champions(world) == {"champion:JFK": 2}
    (said,) = told(world)
    assert said == (
        "segment JFK: version 2 is not in force, it came in for field:origin, and segments are told by field:destination now"
    )
    declare(world, champions=TWO)
    assert answering(world)[JFK] == 2
    assert told(world) == ["segment JFK: version 2 answers"]


def test_what_comes_in_there_is_compared_with_the_general_champion_and_falls_back_to_it() -> None:
    world = a_world()
    bring_in(world, 2, JFK)
    declare(world, champions=DESTINATION)
    again = ask_for(world, 2, JFK)
    tick(world)
    assert (again.own, again.baseline, look(world, again).phase) == (False, 1, Phase.PROGRESSING)
    assert told(world)[0].endswith(f"version 2 at 20 % ({again.id})")
    roll_back(world, "m", BEN, segment=JFK)
    bring_in(world, 3, JFK)
    assert answering(world)[JFK] == 3
    found = part(world, JFK)
    assert found is not None
    assert [one.version for one in found.arms] == [3, 1]
    assert roll_back(world, "m", BEN, segment=JFK).falls_back
    assert champions(world) == {}


def test_what_no_champion_answers_is_evidence_for_the_rest() -> None:
    world = a_world()
    bring_in(world, 2, JFK)
    declare(world, champions=DESTINATION)
    rollout = ask_for(world, 3)
    tick(world)
    assert rollout.apart == ()
    airports = Airports(world)
    ended = airports.run(rollout, {JFK: 100, ELSEWHERE: 100}, 60)
    assert ended.phase is Phase.PROMOTED
    assert ended.outcome is not None
    assert ended.outcome.requests == airports.asked


def test_a_roll_back_of_one_that_is_not_in_force_brings_none_into_force() -> None:
    world = a_world()
    bring_in(world, 2, JFK)
    bring_in(world, 3, JFK)
    declare(world, champions=DESTINATION)
    done = roll_back(world, "m", BEN, segment=JFK)
    assert (done.version, done.baseline, done.own) == (2, 3, True)
    assert champions(world) == {"champion:JFK": 2}
    assert answering(world)[JFK] == 1
    declare(world, champions=TWO)
    found = part(world, JFK)
    assert found is not None
    assert [(one.version, one.role.value) for one in found.arms] == [(2, "champion"), (3, "retained")]
    declare(world, champions=None)
    assert roll_back(world, "m", BEN, segment=JFK, to=1).falls_back
    assert champions(world) == {}


def test_to_clear_away_one_that_is_not_in_force_ends_no_hold_back() -> None:
    world = a_world(replace(CANARY, hold_back=0.05))
    bring_in(world, 2, JFK)
    declare(world, replace(CANARY, hold_back=0.05), DESTINATION)
    general = ask_for(world, 4)
    tick(world)
    steer(world, general.id, Signal.PROMOTE, ADA)
    before = route_of(world)
    assert roll_back(world, "m", BEN, segment=JFK).falls_back
    with world.state.read() as tx:
        assert [(one.apart, one.end) for one in tx.find(HOLDS)] == [((), None)]
    assert route_of(world) == before


def test_a_yes_to_flights_from_there_is_none_to_flights_to_there() -> None:
    world = a_world(Plan())
    before = asked(world)
    declare(world, Plan(), DESTINATION)
    with pytest.raises(Refused, match="asks for segment 'JFK' of field:origin, and") as refused:
        approve_request(world, before.id, BEN)
    assert refused.value.hint is not None
    assert "lockgate request m 2 --to Production --segment 'JFK'" in refused.value.hint
    assert f"lockgate reject {before.id}" in refused.value.hint
    now = asked(world)
    assert (before.by, now.by) == ("field:origin", "field:destination")
    approve_request(world, now.id, BEN)
    tick(world)
    assert answering(world)[JFK] == 2


def test_a_request_for_another_part_can_be_closed_and_holds_again_when_the_file_says_so() -> None:
    world = a_world(Plan())
    first, second = asked(world), asked(world, 3)
    declare(world, Plan(), DESTINATION)
    assert reject_request(world, first.id, BEN).state is RequestState.REJECTED
    declare(world, Plan(), Champions("field:origin", (JFK,)))
    assert approve_request(world, second.id, BEN).state is RequestState.APPROVED


def test_a_request_of_which_is_not_known_what_it_was_for_is_asked_anew() -> None:
    world = a_world(Plan())
    old = replace(asked(world), by="")
    with world.state.write() as tx:
        tx.put(REQUESTS, old)
    with pytest.raises(Refused, match="of an unknown header or field"):
        approve_request(world, old.id, BEN)
    assert approve_request(world, asked(world).id, BEN).state is RequestState.APPROVED


def test_a_request_for_all_traffic_is_about_no_header_or_field() -> None:
    world = a_world(Plan())
    rest = request_transition(world, "m", 2, Stage.PRODUCTION, ADA)
    declare(world, Plan(), DESTINATION)
    assert approve_request(world, rest.id, BEN).state is RequestState.APPROVED


def test_a_contender_that_was_approved_for_flights_from_there_may_not_answer_flights_to_there() -> None:
    world = a_world()
    bring_in(world, 3, JFK)
    contest = Plan(Strategy.AB, judge=POLICY, contest=Contest(contenders=(3,)))
    declare(world, contest, DESTINATION)
    with pytest.raises(Refused, match="contender m 3 was neither approved"):
        ask_for(world, 2, JFK)
    declare(world, CANARY, TWO)
    bring_in(world, 4, JFK)
    declare(world, contest, TWO)
    assert ask_for(world, 2, JFK).contestants[2].version == 3
