"""Users, their tokens and their browsers: who is recognised, for how long, and what the audit log says of it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.domain.access import Scope
from lockgate.domain.events import Action, Event
from lockgate.domain.people import Actor, fault_in_name
from lockgate.domain.policy import Policy
from lockgate.kernel.errors import Conflict, Invalid, NotFound, Refused
from lockgate.ports.identity import Vouched
from lockgate.ports.state import ACCESS_TOKENS, LOGINS, USERS
from lockgate.stages.decide.roles import roles_of
from lockgate.testing.artifacts import MemoryArtifacts
from lockgate.testing.builders import ANNA, BEN
from lockgate.testing.clock import VirtualClock
from lockgate.testing.state import MemoryState
from lockgate.usecases.add_user import add_user
from lockgate.usecases.begin_login import MOST, begin_login
from lockgate.usecases.change_user import disable_user, enable_user, set_groups
from lockgate.usecases.end_login import end_login
from lockgate.usecases.make_access_token import LIFETIME, make_access_token
from lockgate.usecases.recognise_caller import is_closed, recognise_login, recognise_token
from lockgate.usecases.revoke_access_token import revoke_access_token
from lockgate.usecases.sign_in import sign_in
from lockgate.usecases.world import World

HOUR = 3600.0
VOUCHED = Vouched("https://id.example.org", "s-1", "carl", "carl@example.org", ("release",))


@pytest.fixture
def world(state: MemoryState, artifacts: MemoryArtifacts, clock: VirtualClock) -> World:
    return World(state, artifacts, clock)


def token_of(world: World, name: str = "carl", scopes: tuple[Scope, ...] = tuple(Scope)) -> str:
    with world.state.read() as tx:
        known = tx.get(USERS, name)
    if known is None:
        add_user(world, ANNA, name)
    return make_access_token(world, ANNA, name, "laptop", scopes).text


def id_of(text: str) -> str:
    return text.split("_")[1]


def events(world: World) -> list[Event]:
    with world.state.read() as tx:
        return tx.events()


def test_the_first_user_closes_and_only_the_first(world: World) -> None:
    with world.state.read() as tx:
        assert not is_closed(tx)
    assert add_user(world, ANNA, "carl", ["release", "release"]).first
    assert not add_user(world, ANNA, "dora").first
    with world.state.read() as tx:
        assert is_closed(tx)
        assert [user.groups for user in tx.find(USERS)] == [("release",), ()]
    first = events(world)[0].happened
    assert (first.action, first.subject, first.actor) == (Action.USER_SET, "carl", ANNA.name)
    assert first.details["to"] == {"groups": ["release"], "disabled": False}


@pytest.mark.parametrize(
    "name", ["", " ", " carl", "a\x07b", "x" * 101, "policy", "Controller", "watch", "learner", "group:release", "GROUP:x"]
)
def test_nobody_is_called_so(world: World, name: str) -> None:
    with pytest.raises(Invalid):
        add_user(world, ANNA, name)
    assert not events(world)


@given(st.text(max_size=40))
def test_a_name_that_is_taken_never_gives_the_role_of_a_group(name: str) -> None:
    policy = Policy(roles={"approvers": ("group:release", "group:" + name)})
    if fault_in_name(name) is None:
        assert not roles_of(policy, Actor(name))


@pytest.mark.parametrize("group", ["", " ", "group:x", "a\nb"])
def test_nor_a_group(world: World, group: str) -> None:
    with pytest.raises(Invalid, match="group"):
        add_user(world, ANNA, "carl", [group])


def test_a_user_is_there_once(world: World) -> None:
    add_user(world, ANNA, "carl")
    with pytest.raises(Conflict, match="already"):
        add_user(world, ANNA, "carl")


def test_a_token_is_its_user_with_groups_and_scopes(world: World) -> None:
    add_user(world, ANNA, "carl", ["release"])
    caller = recognise_token(world, token_of(world, scopes=(Scope.WRITE, Scope.READ)))
    assert caller is not None
    assert caller.actor == Actor("carl", authenticated=True, groups=("release",))
    assert caller.scopes == {Scope.READ, Scope.WRITE}


def test_the_secret_is_nowhere_but_with_the_caller(world: World) -> None:
    text = token_of(world)
    cookie = begin_login(world, text)
    with world.state.read() as tx:
        kept = repr([tx.find(ACCESS_TOKENS), tx.find(LOGINS), tx.events()])
    assert text.rpartition("_")[2] not in kept
    assert cookie not in kept


@given(st.integers(0, 80), st.sampled_from("0123456789abcdefg_ "))
def test_one_other_sign_and_it_is_no_token(place: int, sign: str) -> None:
    world = World(MemoryState(), MemoryArtifacts(), VirtualClock())
    text = token_of(world)
    place %= len(text)
    altered = text[:place] + sign + text[place + 1 :]
    assert (recognise_token(world, altered) is not None) == (altered == text)


def test_a_token_ends_when_it_says(world: World, clock: VirtualClock) -> None:
    text = token_of(world)
    clock.advance(LIFETIME.total_seconds() - 1)
    assert recognise_token(world, text) is not None
    clock.advance(1)
    assert recognise_token(world, text) is None


@pytest.mark.parametrize("lifetime", [timedelta(), timedelta(seconds=-1), timedelta(days=367)])
def test_no_token_for_ever(world: World, lifetime: timedelta) -> None:
    add_user(world, ANNA, "carl")
    with pytest.raises(Invalid, match="lifetime"):
        make_access_token(world, ANNA, "carl", "laptop", [Scope.READ], lifetime)


def test_no_token_for_nothing_or_nobody(world: World) -> None:
    with pytest.raises(NotFound, match="no user"):
        make_access_token(world, ANNA, "carl", "laptop", [Scope.READ])
    add_user(world, ANNA, "carl")
    with pytest.raises(Invalid, match="scope"):
        make_access_token(world, ANNA, "carl", "laptop", [])
    with pytest.raises(Invalid, match="name"):
        make_access_token(world, ANNA, "carl", "", [Scope.READ])
    disable_user(world, ANNA, "carl")
    with pytest.raises(Conflict, match="disabled"):
        make_access_token(world, ANNA, "carl", "laptop", [Scope.READ])


def test_a_revoked_token_ends_its_browsers_and_no_others(world: World) -> None:
    first, second = token_of(world), token_of(world)
    by_first, by_second = begin_login(world, first), begin_login(world, second)
    revoke_access_token(world, BEN, id_of(first))
    assert recognise_token(world, first) is None
    assert recognise_login(world, by_first) is None
    assert recognise_login(world, by_second) is not None
    last = [event.happened for event in events(world)[-2:]]
    assert [(one.action, one.actor) for one in last] == [(Action.TOKEN_REVOKED, BEN.name), (Action.LOGIN_ENDED, BEN.name)]
    with pytest.raises(Conflict, match="revoked"):
        revoke_access_token(world, BEN, id_of(first))
    with pytest.raises(NotFound):
        revoke_access_token(world, BEN, "0" * 12)


def test_a_disabled_user_comes_in_by_nothing_until_enabled(world: World) -> None:
    text = token_of(world)
    cookie = begin_login(world, text)
    disable_user(world, ANNA, "carl")
    assert recognise_token(world, text) is None
    with pytest.raises(Refused):
        begin_login(world, text)
    with pytest.raises(Conflict):
        disable_user(world, ANNA, "carl")
    enable_user(world, ANNA, "carl")
    assert recognise_token(world, text) is not None
    assert recognise_login(world, cookie) is None, "a browser signs in anew"
    with pytest.raises(Conflict):
        enable_user(world, ANNA, "carl")


def test_groups_hold_at_once_and_are_recorded_when_they_change(world: World) -> None:
    text = token_of(world)
    set_groups(world, ANNA, "carl", ["release"])
    before = len(events(world))
    set_groups(world, ANNA, "carl", ["release"])
    assert len(events(world)) == before
    caller = recognise_token(world, text)
    assert caller is not None
    assert caller.actor.groups == ("release",)


def test_a_login_lasts_12_hours_however_busy(world: World, clock: VirtualClock) -> None:
    cookie = begin_login(world, token_of(world))
    for _ in range(23):
        clock.advance(HOUR / 2)
        assert recognise_login(world, cookie) is not None
    clock.advance(HOUR / 2)
    assert recognise_login(world, cookie) is None


def test_a_login_ends_after_an_hour_without_a_question(world: World, clock: VirtualClock) -> None:
    cookie = begin_login(world, token_of(world))
    clock.advance(HOUR - 1)
    assert recognise_login(world, cookie) is not None
    clock.advance(HOUR - 1)
    assert recognise_login(world, cookie) is not None
    clock.advance(HOUR)
    assert recognise_login(world, cookie) is None


def test_a_login_does_not_outlive_its_token(world: World, clock: VirtualClock) -> None:
    add_user(world, ANNA, "carl")
    text = make_access_token(world, ANNA, "carl", "laptop", [Scope.READ], timedelta(minutes=10)).text
    cookie = begin_login(world, text)
    clock.advance(601)
    assert recognise_login(world, cookie) is None


def test_signing_in_gives_a_new_cookie_each_time_and_out_ends_one(world: World) -> None:
    text = token_of(world)
    first, second = begin_login(world, text), begin_login(world, text)
    assert first != second
    caller = recognise_login(world, first)
    assert caller is not None
    end_login(world, caller.actor, caller.login)
    end_login(world, caller.actor, caller.login)
    assert recognise_login(world, first) is None
    assert recognise_login(world, second) is not None
    assert [event.happened.action for event in events(world)].count(Action.LOGIN_ENDED) == 1


def test_a_user_is_signed_in_in_so_many_browsers(world: World, clock: VirtualClock) -> None:
    text = token_of(world)
    cookies = [begin_login(world, text) for _ in range(MOST + 1)]
    assert recognise_login(world, cookies[0]) is None
    assert all(recognise_login(world, cookie) for cookie in cookies[1:])
    clock.advance(13 * HOUR)
    begin_login(world, text)
    with world.state.read() as tx:
        assert tx.count(LOGINS) == 1, "what is over is forgotten"


@pytest.mark.parametrize("text", ["", "lgu_", "lgk_" + "0" * 12 + "_" + "0" * 64, "x" * 10_000])
def test_what_is_no_token_signs_nobody_in(world: World, text: str) -> None:
    with pytest.raises(Refused):
        begin_login(world, text)


def test_whom_a_provider_vouches_for_becomes_a_user_only_where_that_is_wanted(world: World) -> None:
    with pytest.raises(Refused, match="no user"):
        sign_in(world, VOUCHED, create=False)
    caller = recognise_login(world, sign_in(world, VOUCHED, create=True))
    assert caller is not None
    assert caller.actor == Actor("carl", authenticated=True, groups=("release",))
    assert Scope.ADMIN not in caller.scopes


def test_groups_are_the_provider_s_at_each_sign_in(world: World) -> None:
    sign_in(world, VOUCHED, create=True)
    left = Vouched(VOUCHED.issuer, VOUCHED.subject, "carl", groups=())
    caller = recognise_login(world, sign_in(world, left, create=False))
    assert caller is not None
    assert caller.actor.groups == ()
    silent = Vouched(VOUCHED.issuer, VOUCHED.subject, "carl", groups=None)
    set_groups(world, ANNA, "carl", ["kept"])
    caller = recognise_login(world, sign_in(world, silent, create=False))
    assert caller is not None
    assert caller.actor.groups == ("kept",)


def test_a_user_made_here_is_bound_to_the_first_account_that_comes_by_the_name(world: World) -> None:
    add_user(world, ANNA, "carl", ["kept"])
    sign_in(world, VOUCHED, create=False)
    other = Vouched(VOUCHED.issuer, "s-2", "carl")
    with pytest.raises(Refused, match="another account"):
        sign_in(world, other, create=True)
    renamed = Vouched(VOUCHED.issuer, VOUCHED.subject, "carla")
    caller = recognise_login(world, sign_in(world, renamed, create=False))
    assert caller is not None
    assert caller.actor.name == "carl", "the audit log knows one name for one person"


def test_a_disabled_user_is_not_vouched_back_in(world: World) -> None:
    sign_in(world, VOUCHED, create=True)
    disable_user(world, ANNA, "carl")
    with pytest.raises(Refused, match="disabled"):
        sign_in(world, VOUCHED, create=True)


def test_a_provider_cannot_make_lockgate_itself(world: World) -> None:
    with pytest.raises(Invalid):
        sign_in(world, Vouched(VOUCHED.issuer, "s-3", "policy"), create=True)
