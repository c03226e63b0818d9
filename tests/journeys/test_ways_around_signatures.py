"""Ways by which a version that nobody trusted signed might come to answer: closed where the policy asks for signatures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from lockgate.boundary.public_keys import key_id
from lockgate.boundary.trust import TrustedKey
from lockgate.domain.contests import Contest
from lockgate.domain.events import Action, Happened
from lockgate.domain.models import RequestState, Stage
from lockgate.domain.policy import BreakGlassRule, Policy, SignatureRule, StageRule
from lockgate.domain.projects import Deployment, Environment
from lockgate.domain.rollouts import Phase, Plan, Strategy
from lockgate.kernel.errors import Refused
from lockgate.ports.state import MODELS, PROJECTS, REQUESTS, ROLLOUTS, ROUTES, RUNS, VERSIONS
from lockgate.testing import builders as a
from lockgate.testing.signer import KeySigner
from lockgate.usecases.break_glass import break_glass
from lockgate.usecases.check_signature import against_signature, find_unsigned, list_trusted_keys
from lockgate.usecases.delete_version import delete_version
from lockgate.usecases.find_contestants import contestants
from lockgate.usecases.find_nodes import COMPOSED
from lockgate.usecases.find_trust import find_trust
from lockgate.usecases.request_transition import request_transition
from lockgate.usecases.roll_back import roll_back
from lockgate.usecases.send_on import send_on_its_way
from lockgate.usecases.set_policy import set_policy
from lockgate.usecases.start_rollout import start_rollout
from lockgate.usecases.transition_directly import transition_directly
from lockgate.usecases.world import World
from tests.samples.registry import ADA, BEN, FREE, LOOSE, OLGA, approve, ask, events, registry, rule_by, settle, stages, version

HOME, PARTNER, STRANGER = KeySigner("home"), KeySigner("partner"), KeySigner("stranger")
REQUIRED = SignatureRule(required=True, keys=(HOME.public_key, f"{PARTNER.public_key} the partner"))
NO_PARTNER = replace(REQUIRED, revoked=(f"{PARTNER.public_key} the partner",))


def sign(world: World, number: int, by: KeySigner = HOME, model: str = a.MODEL) -> None:
    """Note it as `sign_version` does."""
    with world.state.write() as tx:
        found = tx.get(VERSIONS, model, number)
        assert found is not None
        statement = a.digest(f"{model} {number} {by.name}")
        tx.put(VERSIONS, replace(found, provenance=statement))
        details = {"provenance": statement, "sbom": "", "key": key_id(by.public_key)}
        now = world.clock.now()
        who = ADA.name, ADA.authenticated
        tx.record(Happened(Action.VERSION_SIGNED, *who, now, f"{model}/{number}", model, number, details))


def require(world: World, rule: SignatureRule = REQUIRED, **more: Any) -> None:
    rule_by(world, Policy(signatures=rule, **more), f"{rule}{more}")


def bring(world: World, number: int) -> None:
    """Into Production, in the ordinary way."""
    approve(world, ask(world, number=number), BEN)
    settle(world)
    assert version(world, number).stage is Stage.PRODUCTION


WAYS: dict[str, Callable[[World], object]] = {
    "request": ask,
    "request Staging": lambda world: ask(world, stage=Stage.STAGING),
    "rollout": lambda world: start_rollout(world, a.MODEL, 1, "staging", ADA),
    "move": lambda world: transition_directly(world, a.MODEL, 1, Stage.PRODUCTION, ADA),
    "move to Staging": lambda world: transition_directly(world, a.MODEL, 1, Stage.STAGING, ADA),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("signer", "why"), [(None, "it is not signed"), (STRANGER, "which the policy does not trust")])
def test_no_way_in_is_open_without_a_signature_that_counts(way: str, signer: KeySigner | None, why: str) -> None:
    world = registry()
    if signer:
        sign(world, 1, signer)
    require(world)
    with pytest.raises(Refused, match=why) as refusal:
        WAYS[way](world)
    assert f"lockgate sign {a.MODEL} 1" in (refusal.value.hint or "")
    sign(world, 1)
    assert WAYS[way](world), "signed anew, it may"


def test_where_nothing_need_be_signed_nobody_asks() -> None:
    world = registry()
    require(world, replace(NO_PARTNER, required=False))
    assert start_rollout(world, a.MODEL, 1, "staging", ADA).phase is Phase.PREPARING
    assert list_trusted_keys(world.state) is None


def test_what_was_asked_for_before_is_looked_at_with_every_yes() -> None:
    world = registry()
    sign(world, 1, PARTNER)
    two = {"Production": StageRule(need=2)}
    require(world, stages=two)
    request = ask(world)
    require(world, NO_PARTNER, stages=two)
    with pytest.raises(Refused, match="signed by the key the partner, which was revoked"):
        approve(world, request, BEN)  # the first of two: nothing would begin by it


def test_breaking_the_glass_breaks_no_seal() -> None:
    world = registry()
    require(world, roles={"managers": ("olga",)}, break_glass=BreakGlassRule(("managers",)))
    break_glass(world, OLGA, "harm")
    with pytest.raises(Refused, match="it is not signed"):
        transition_directly(world, a.MODEL, 1, Stage.PRODUCTION, OLGA)
    with pytest.raises(Refused, match="it is not signed"):
        approve(world, request_transition(world, a.MODEL, 1, Stage.PRODUCTION, OLGA), OLGA)


def test_a_roll_back_leads_to_nothing_that_nobody_vouches_for() -> None:
    world = registry(2)
    sign(world, 1, PARTNER)
    sign(world, 2)
    rule_by(world, FREE)
    bring(world, 1)
    bring(world, 2)
    require(world, NO_PARTNER)
    before = len(events(world, Action.ROLLED_BACK))
    with pytest.raises(Refused, match="which was revoked"):
        roll_back(world, a.MODEL, OLGA)
    assert stages(world) == {1: Stage.ARCHIVED, 2: Stage.PRODUCTION}
    assert len(events(world, Action.ROLLED_BACK)) == before, "nothing is half done"
    sign(world, 1)
    roll_back(world, a.MODEL, OLGA)
    assert version(world, 1).stage is Stage.PRODUCTION


def test_automatic_deployment_leaves_it_to_people_who_cannot_either() -> None:
    world = registry()
    environment = Environment(Plan(), LOOSE)
    with world.state.write() as tx:
        project = a.project(environments={"staging": environment, "production": environment}, deployment=Deployment.AUTOMATIC)
        tx.put(PROJECTS, project)
    require(world)
    with world.state.write() as tx:
        send_on_its_way(tx, version(world), world.clock.now())
    (withheld,) = events(world, Action.POLICY_WITHHELD)
    assert withheld.happened.details["why"] == "it is not signed"
    with world.state.read() as tx:
        (request,) = tx.find(REQUESTS, state=RequestState.OPEN.value)
        assert not tx.find(ROLLOUTS)
    with pytest.raises(Refused, match="it is not signed"):
        approve(world, request, BEN)


def test_a_contender_of_a_contest_is_looked_at_too() -> None:
    world = registry(3)
    for number in (1, 2):
        sign(world, number)
    rule_by(world, FREE)
    bring(world, 3)
    bring(world, 1)
    require(world)
    plan = Plan(Strategy.AB, contest=Contest((3,), (0.4, 0.3, 0.3)))
    with world.state.read() as tx, pytest.raises(Refused, match=f"{a.MODEL} 3 may not answer: it is not signed"):
        contestants(tx, version(world, 2), version(world, 1), plan)


def test_a_graph_is_as_good_as_each_of_its_nodes() -> None:
    world = registry()
    composed = a.gate_result(gate=COMPOSED[0], rule=COMPOSED[1])
    with world.state.write() as tx:
        tx.put(PROJECTS, a.project(model="pair", environments={"production": Environment(approvals=LOOSE)}))
        tx.put(MODELS, a.registered_model(name="pair", latest_version=1))
        tx.put(RUNS, a.run(id="run-pair", model="pair", params={"graph": {}, "nodes": {f"{a.MODEL}@1": "sha256:0"}}))
        tx.put(VERSIONS, a.version(1, model="pair", run="run-pair", gates=(composed,)))
    sign(world, 1, model="pair")
    sign(world, 1, PARTNER)
    require(world)
    assert _against(world, "pair") is None
    require(world, NO_PARTNER)
    assert _against(world, "pair") == f"its node {a.MODEL}@1 is signed by the key the partner, which was revoked"
    delete_version(world, a.MODEL, 1, ADA)
    assert _against(world, "pair") == f"its node {a.MODEL}@1 was deleted, so nobody can say who signed it"


def _against(world: World, model: str) -> str | None:
    with world.state.read() as tx:
        found = tx.get(VERSIONS, model, 1)
        assert found is not None
        return against_signature(tx, found)


def test_another_paper_than_the_one_that_was_noted_proves_nothing() -> None:
    world = registry()
    sign(world, 1)
    with world.state.write() as tx:
        tx.put(VERSIONS, replace(version(world), provenance=a.digest("another paper")))
    require(world)
    with pytest.raises(Refused, match="the key unknown"):
        ask(world)


# Revoking

FILE = f"signatures: {{required: true, keys: [{PARTNER.public_key} the partner]}}\n"
REVOKING = FILE.replace("]}", f"], revoked: [{PARTNER.public_key} the partner]}}")


def test_this_homes_own_key_is_trusted_with_those_of_the_policy() -> None:
    world = replace(registry(), signer=HOME)
    set_policy(world, FILE, OLGA)
    trusted = list_trusted_keys(world.state)
    assert trusted is not None
    assert trusted.keys == (TrustedKey(HOME.public_key, "this home"), TrustedKey(PARTNER.public_key, "the partner"))
    set_policy(world, REVOKING, OLGA)
    trusted = list_trusted_keys(world.state)
    assert trusted is not None
    assert TrustedKey(PARTNER.public_key, "the partner", revoked=True) in trusted.keys
    assert len(trusted.keys) == 2


def test_keys_are_listed_and_verified_by_what_the_data_plane_goes_by() -> None:
    """Where nothing need be signed, by the key that signs now; where it must, by the one that the policy was set with."""
    world = replace(registry(), signer=HOME)
    moved = replace(world, signer=STRANGER)
    assert find_trust(world).keys == (TrustedKey(HOME.public_key, "this home"),)
    assert find_trust(moved).keys == (TrustedKey(STRANGER.public_key, "this home"),)
    set_policy(world, FILE, OLGA)
    assert find_trust(moved) == find_trust(world) == list_trusted_keys(world.state)
    set_policy(moved, FILE, OLGA)
    assert TrustedKey(STRANGER.public_key, "this home") in find_trust(world).keys
    assert HOME.public_key not in {one.key for one in find_trust(world).keys}


def test_a_policy_that_asks_for_no_signature_still_says_whose_count() -> None:
    world = replace(registry(), signer=HOME)
    set_policy(world, REVOKING.replace("required: true", "required: false").replace("]}", f", {HOME.public_key} lost]}}"), OLGA)
    assert list_trusted_keys(world.state) is None
    revoked = {one.name: one.revoked for one in find_trust(world).keys}
    assert revoked == {"lost": True, "the partner": True}


def test_a_policy_is_set_again_for_another_key_of_this_home() -> None:
    world = replace(registry(), signer=HOME)
    set_policy(world, FILE, OLGA)
    assert not set_policy(world, FILE, OLGA).changed
    assert set_policy(replace(world, signer=STRANGER), FILE, OLGA).changed


def test_revoking_a_key_is_told_once_and_ends_what_it_was_bringing_in() -> None:
    world = replace(registry(2), signer=HOME)
    sign(world, 1, PARTNER)
    sign(world, 2, PARTNER)
    set_policy(world, FILE, OLGA)
    bring(world, 1)
    rollout = start_rollout(world, a.MODEL, 2, "staging", ADA)
    set_policy(world, REVOKING, OLGA)
    (revoked,) = events(world, Action.KEY_REVOKED)
    assert (revoked.happened.subject, revoked.happened.details["key"]) == (key_id(PARTNER.public_key), PARTNER.public_key)
    with world.state.read() as tx:
        ended = tx.get(ROLLOUTS, rollout.id)
        published = tx.get(ROUTES, "current")
    assert ended is not None
    assert ended.phase is Phase.ABORTED
    assert published is not None
    route = published.table.route(a.MODEL)
    assert route is not None
    assert [arm.version for arm in route.arms] == [1], "what answers goes on answering"
    set_policy(world, REVOKING + "requests: {expire: 1d}\n", OLGA)
    assert len(events(world, Action.KEY_REVOKED)) == 1


def test_what_answers_and_would_not_be_loaded_again_is_found() -> None:
    world = registry(2)
    sign(world, 2)
    rule_by(world, FREE)
    bring(world, 1)
    with world.state.read() as tx:
        assert find_unsigned(tx) == []
    require(world)
    with world.state.read() as tx:
        assert [(one.version, why) for one, why in find_unsigned(tx)] == [(1, "it is not signed")]
    bring(world, 2)
    with world.state.read() as tx:
        assert find_unsigned(tx) == []


def test_the_table_says_which_paper_vouches_for_each_version() -> None:
    world = registry(2)
    sign(world, 1)
    rule_by(world, FREE)
    bring(world, 1)
    approve(world, ask(world, number=2, stage=Stage.STAGING), BEN)
    with world.state.read() as tx:
        published = tx.get(ROUTES, "current")
    assert published is not None
    route = published.table.route(a.MODEL)
    assert route is not None
    assert {arm.version: arm.provenance for arm in route.arms} == {1: version(world, 1).provenance, 2: ""}
