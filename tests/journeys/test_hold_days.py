"""A hold-back from day to day: units are drawn anew, labels count for their day; limits, segments and the router."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from msgspec import structs

from lockgate.boundary.observations import Block, Feedback
from lockgate.boundary.routes import Role, Segmentation
from lockgate.boundary.selector import choose, unit_key
from lockgate.domain.events import Action
from lockgate.domain.holds import HoldEnd, HoldState
from lockgate.domain.rollouts import Segments
from lockgate.ports.state import INBOX, Received
from lockgate.usecases.advance_rollouts import Judges, advance_rollouts
from lockgate.usecases.publish_routes import route_table
from lockgate.usecases.replay_hold import replay_hold
from lockgate.usecases.take_observations import MOST
from tests.journeys.test_hold_back import DAY, PLAN, POLICY, Site, promoted

ERRORS = replace(POLICY, metrics=("errors",))
BY_REQUEST = replace(PLAN, unit="request")


def held_back(site: Site, users: int = 2000) -> set[int]:
    weights = [arm.weight for arm in site.route.arms]
    return {user for user in range(users) if choose(unit_key(site.route.salt, f"user {user}"), weights) == 1}


def revision(site: Site) -> int:
    with site.world.state.read() as tx:
        return route_table(tx).revision.n


def test_every_day_another_twentieth_of_the_users_is_held_back() -> None:
    site = promoted()
    salts, groups, revisions = [site.route.salt], [held_back(site)], [revision(site)]
    for _ in range(6):
        site.tick(seconds=DAY)
        salts.append(site.route.salt)
        groups.append(held_back(site))
        revisions.append(revision(site))
        assert site.arms() == [(2, Role.CHAMPION, 0.95), (1, Role.HELD_BACK, 0.05)]
    assert salts == ["salt", "salt.1", "salt.2", "salt.3", "salt.4", "salt.5", "salt.6"]
    assert [after - before for before, after in itertools.pairwise(revisions)] == [1] * 6
    assert all(len(one & other) < 30 for one, other in itertools.pairwise(groups))
    assert [(step.weight, step.n) for step in site.hold.ramp][-7:] == [(0.95, n) for n in revisions]
    site.tick(seconds=DAY)
    assert (site.hold.end, site.route.salt) == (HoldEnd.PASSED, "")


def test_within_a_day_nothing_moves_and_nothing_is_written() -> None:
    site = promoted()
    site.tick(seconds=DAY - 60)
    before, route = revision(site), site.route
    site.tick(seconds=50)
    assert (revision(site), site.route) == (before, route)
    assert advance_rollouts(site.world, site.judges) is False


def test_requests_are_not_drawn_anew() -> None:
    site = promoted(BY_REQUEST)
    before = revision(site)
    site.tick(seconds=2 * DAY)
    assert (revision(site), site.hold.day, site.hold.window) == (before, 0, None)


def test_a_controller_that_was_away_goes_on_with_the_day_that_it_is() -> None:
    site = promoted()
    early = site.predictions(200)
    site.tick(seconds=3.5 * DAY)
    late = site.predictions(200)
    site.tick(site.labelled(early, {1: 1.0, 2: 1.0}), site.labelled(late, {1: 1.0, 2: 1.0}))
    assert (site.route.salt, site.hold.day) == ("salt.3", 3)
    assert {one.day: sum(of for of, _ in one.counts.values()) for row in site.rows for one in row.events} == {0: 200, 3: 200}


def test_labels_that_come_late_count_for_the_day_of_their_prediction() -> None:
    site, made = promoted(), list[list[Feedback]]()
    for _ in range(3):
        made.append(site.predictions(100))
        site.tick(seconds=DAY)
    for predictions in reversed(made):
        site.tick(site.labelled(predictions, {1: 1.0, 2: 1.0}))
    assert [(one.day, one.counts["labels"][0]) for one in site.rows[-1].events] == [(0, 100), (1, 100), (2, 100)]
    assert replay_hold(site.world, site.rollout.id).same


def test_harm_that_begins_on_the_third_day_rolls_back() -> None:
    site = promoted(replace(PLAN, judge=ERRORS))
    for day in range(7):
        for _ in range(6):
            site.tick(site.answered(600, {1: 0.05, 2: 0.4 if day >= 2 else 0.02}), seconds=DAY / 6)
            if site.hold.state is HoldState.ENDED:
                break
    assert (site.hold.end, site.hold.day in (2, 3)) == (HoldEnd.HARM, True)
    assert replay_hold(site.world, site.rollout.id).same


@pytest.mark.parametrize("forget_every", [1, 4])
def test_a_controller_that_is_killed_between_ticks_says_the_same_over_days(forget_every: int) -> None:
    judge = replace(
        POLICY, objectives={"errors": 0.2, "labels": 0.5}, requests_per_unit=1, segments=Segments("header:x-land", ("de",))
    )

    def story(forget: int | None) -> Site:
        site = promoted(replace(PLAN, judge=judge))
        for turn in range(16):
            if forget and turn % forget == 0:
                site.judges = Judges()
            predictions = site.predictions(150)
            block = site.answered(150, {1: 0.05, 2: 0.06})
            inside = structs.replace(block, cells=tuple(structs.replace(one, segment="de") for one in block.cells))
            site.tick(inside if turn % 2 else block, site.labelled(predictions, {1: 0.1, 2: 0.1}), seconds=DAY / 5)
        return site

    whole, forgetful = story(None), story(forget_every)
    assert {one.day for row in whole.rows for one in row.events} == {0, 1, 2, 3}
    assert [(row.events, row.verdict, row.evidence) for row in whole.rows] == [
        (row.events, row.verdict, row.evidence) for row in forgetful.rows
    ]
    assert replay_hold(whole.world, whole.rollout.id).same


# A controller that was away when it would have ended


def waiting(site: Site, *blocks: Block) -> None:
    """What the control plane took in meanwhile."""
    with site.world.state.write() as tx:
        for block in blocks:
            tx.add(INBOX, Received(block.worker, block.incarnation, block.sequence, block))


def test_it_does_not_pass_over_what_nobody_has_read() -> None:
    site = promoted(replace(PLAN, judge=ERRORS))
    site.clock.advance(DAY)
    quiet = [site.answered(2, {1: 0.0, 2: 0.0}) for _ in range(MOST)]
    waiting(site, *quiet, *[site.answered(60, {1: 0.0, 2: 0.3}) for _ in range(60)])
    site.tick(seconds=6 * DAY)
    assert site.clock.now() > site.hold.until
    assert site.hold.state is HoldState.HELD
    site.tick()
    assert site.hold.end is HoldEnd.HARM
    assert site.arms()[0] == (1, Role.CHAMPION, 1.0)


def test_what_was_seen_after_its_time_does_not_keep_it_from_passing() -> None:
    site = promoted(replace(PLAN, judge=ERRORS))
    waiting(site, *[site.answered(1, {1: 0.0, 2: 0.0}) for _ in range(MOST)])
    site.clock.advance(7 * DAY)
    waiting(site, site.answered(1, {1: 0.0, 2: 0.0}))
    site.tick()
    assert site.hold.end is HoldEnd.PASSED


def test_what_is_read_after_its_time_is_of_its_last_minute() -> None:
    """As many minutes as it can have were reckoned with: reading late makes no more of them."""
    site = promoted(replace(BY_REQUEST, judge=ERRORS))
    site.clock.advance(7 * DAY - 30)
    waiting(site, *[site.answered(4, {1: 0.0, 2: 0.0}) for _ in range(3 * MOST)])
    for _ in range(3):
        site.tick(seconds=60)
    assert [row.at for row in site.rows] == [site.hold.until]
    assert site.hold.promoted.completed + site.hold.before.completed == 3 * MOST * 4
    assert site.hold.end is HoldEnd.PASSED
    assert replay_hold(site.world, site.rollout.id).same


# Limits, segments, the router


def test_a_limit_that_both_versions_break_rolls_back() -> None:
    """The comparison has nothing to say: the promise is to users."""
    site = promoted(replace(BY_REQUEST, judge=replace(ERRORS, objectives={"errors": 0.02})))
    for _ in range(30):
        site.tick(site.answered(500, {1: 0.08, 2: 0.08}))
        if site.hold.state is HoldState.ENDED:
            break
    assert site.hold.end is HoldEnd.HARM
    assert "at most 2% expected" in site.hold.detail
    assert site.arms()[0] == (1, Role.CHAMPION, 1.0)


def test_harm_to_one_segment_rolls_back_and_is_named() -> None:
    segments = Segments("header:x-land", ("de", "fr"), min_units=100)
    site = promoted(replace(BY_REQUEST, judge=replace(ERRORS, segments=segments)))
    assert site.route.segments == Segmentation("header:x-land", ("de", "fr"))
    for _ in range(40):
        quiet, hurt = site.answered(900, {1: 0.02, 2: 0.02}), site.answered(300, {1: 0.02, 2: 0.3})
        cells = tuple(structs.replace(one, segment="fr") for one in hurt.cells)
        site.tick(quiet, structs.replace(hurt, cells=cells))
        if site.hold.state is HoldState.ENDED:
            break
    assert site.hold.end is HoldEnd.HARM
    assert "segment.x-land=fr/errors" in site.hold.detail


def test_units_that_do_not_meet_the_versions_by_their_shares_end_it() -> None:
    site = promoted(replace(BY_REQUEST, judge=ERRORS))
    for _ in range(20):
        block = site.answered(500, {1: 0.0, 2: 0.0})
        site.tick(structs.replace(block, cells=tuple(one for one in block.cells if one.version == 2)))
        if site.hold.state is HoldState.ENDED:
            break
    assert site.hold.end is HoldEnd.ROUTER_FAULT
    assert "met the promoted version where" in site.hold.detail
    assert site.arms()[0] == (2, Role.CHAMPION, 1.0), "nothing speaks against the promoted version"
    assert [one.details["why"] for one in site.events(Action.HOLD_ENDED)] == ["router-fault"]


def test_sticky_units_by_their_shares_do_not() -> None:
    site = promoted(replace(PLAN, judge=ERRORS))
    for _ in range(30):
        site.tick(site.answered(300, {1: 0.02, 2: 0.02}), seconds=DAY / 6)
    assert site.hold.state is HoldState.HELD
    assert sum(one.arrived[0] for row in site.rows for one in row.events) > 6000


def test_a_minute_with_many_units_is_more_than_one_row() -> None:
    """A row is written anew with every tick of its minute: it must not grow with the traffic."""
    site = promoted(replace(PLAN, judge=ERRORS))
    site.tick(seconds=DAY)
    for _ in range(12):
        site.tick(site.answered(300, {1: 0.02, 2: 0.02}))
    assert {row.at.replace(second=0, microsecond=0) for row in site.rows} == {site.clock.now().replace(second=0, microsecond=0)}
    assert 2 <= len(site.rows) <= 4
    assert sum(one.arrived[0] for row in site.rows for one in row.events) == 3600
    assert replay_hold(site.world, site.rollout.id).same
