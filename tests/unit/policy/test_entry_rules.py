"""Pure decisions of the workflow: roles, the stricter of two rules, moves, who may decide, what a yes is bound to."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.domain.models import Stage, Vote
from lockgate.domain.people import Actor
from lockgate.domain.policy import Edge, Policy, StageRule
from lockgate.domain.projects import ApprovalPolicy
from lockgate.domain.verdicts import GateVerdict
from lockgate.kernel.errors import Conflict, Refused
from lockgate.stages.decide.aliases import check_may_move
from lockgate.stages.decide.approvals import check_may_decide, tally
from lockgate.stages.decide.binding import binding, check_seen
from lockgate.stages.decide.entry import EntryRule, entry_rule, missing_edge
from lockgate.stages.decide.roles import has_role, roles_of
from lockgate.testing import builders as a

POLICY = Policy(roles={"approvers": ("ben", "group:leads"), "managers": ("olga",)})
ROLES = st.lists(st.sampled_from(["approvers", "managers", "others"]), unique=True).map(tuple)
EXCLUDED = st.lists(st.sampled_from(["requester", "author"]), unique=True).map(tuple)
PROJECTS = st.builds(ApprovalPolicy, st.integers(1, 5), EXCLUDED, ROLES)
PLATFORMS = st.builds(StageRule, st.integers(1, 5), ROLES, EXCLUDED, st.just(("quality",)), st.booleans())


def test_roles_come_by_name_and_by_group() -> None:
    assert roles_of(POLICY, Actor("ben")) == {"approvers"}
    assert roles_of(POLICY, Actor("dora", groups=("leads",))) == {"approvers"}
    assert roles_of(POLICY, Actor("leads")) == frozenset(), "a user called like a group is not in it"
    assert has_role(POLICY, Actor("eve"), ())
    assert not has_role(POLICY, Actor("eve"), ("approvers", "nobody-has-it"))


@given(platform=PLATFORMS, project=PROJECTS, name=st.sampled_from(["ben", "olga", "eve"]))
def test_of_two_rules_the_stricter_holds_in_every_respect(platform: StageRule, project: ApprovalPolicy, name: str) -> None:
    rule, actor = entry_rule(platform, project), Actor(name)
    assert rule.need == max(platform.need, project.need)
    assert set(rule.excluded) == {*platform.excluded, *project.excluded}
    assert (rule.gates, rule.authenticated) == (platform.gates, platform.authenticated)
    both = has_role(POLICY, actor, platform.roles) and has_role(POLICY, actor, project.roles)
    assert all(has_role(POLICY, actor, group) for group in rule.roles) == both


def test_where_neither_says_anything_somebody_else_must_agree_and_the_platform_alone_may_ask_for_less() -> None:
    assert entry_rule(None, None) == EntryRule(1, (), ("requester", "author"))
    assert entry_rule(StageRule(), None) == EntryRule(1, (), ())


@pytest.mark.parametrize(
    ("came", "goal", "against"),
    [
        (Stage.NONE, Stage.STAGING, None),
        (Stage.PRODUCTION, Stage.ARCHIVED, None),
        (Stage.PRODUCTION, Stage.PRODUCTION, None),
        (Stage.NONE, Stage.PRODUCTION, "from None one may go to: Staging, Archived"),
        (Stage.ARCHIVED, Stage.STAGING, "from Archived one may go to: nowhere"),
    ],
)
def test_moves_that_the_policy_has(came: Stage, goal: Stage, against: str | None) -> None:
    edges = (Edge(Stage.NONE, Stage.STAGING), Edge(Stage.STAGING, Stage.PRODUCTION), Edge(None, Stage.ARCHIVED))
    told = missing_edge(edges, came, goal)
    assert (told is None) == (against is None)
    assert (against or "") in (told or "")
    assert missing_edge(None, came, goal) is None


@pytest.mark.parametrize(
    ("rule", "actor", "told"),
    [
        (EntryRule(excluded=("requester",)), Actor("ada"), "ada is the requester"),
        (EntryRule(excluded=("author",)), Actor("dora"), "dora is the author"),
        (EntryRule(roles=(("approvers",), ("managers",))), Actor("ben"), "managers"),
        (EntryRule(roles=(("ghosts",),)), Actor("ben"), "the policy gives ghosts to nobody"),
        (EntryRule(authenticated=True), Actor("ben"), "nobody has checked that ben is ben"),
    ],
)
def test_who_may_not_decide_is_told_why(rule: EntryRule, actor: Actor, told: str) -> None:
    known_as = {"dora": {"dora", "dora@example.org"}}.get(actor.name, {actor.name})
    people = {"requester": {"ada"}, "author": {"D. Ora", "dora@example.org"}}
    with pytest.raises(Refused, match=told):
        check_may_decide(rule, POLICY, actor, known_as, people, "request request-1")
    check_may_decide(EntryRule(), POLICY, actor, known_as, people, "request request-1")


@given(need=st.integers(1, 4), yes=st.integers(0, 5), no=st.booleans())
def test_a_quorum_opens_and_one_no_closes(need: int, yes: int, no: bool) -> None:  # noqa: FBT001 - drawn
    votes = tuple(a.decision(by=f"p{number}") for number in range(yes))
    decisions = (*votes, a.decision(by="x", vote=Vote.REJECT)) if no else votes
    expected = "rejected" if no else "approved" if yes >= need else "open"
    assert tally(need, a.request(decisions=decisions)).value == expected


def test_a_yes_is_bound_to_package_data_evidence_gates_and_both_policies() -> None:
    version, project = a.version(gates=(a.gate_result(),)), ApprovalPolicy()
    failed = replace(version, gates=(a.gate_result(verdict=GateVerdict.FAIL),))
    others = [
        binding(replace(version, digest=a.digest("other")), Stage.PRODUCTION, {"d": "1"}, "p", project),
        binding(version, Stage.PRODUCTION, {"d": "2"}, "p", project),
        binding(replace(version, evidence=a.digest("other")), Stage.PRODUCTION, {"d": "1"}, "p", project),
        binding(failed, Stage.PRODUCTION, {"d": "1"}, "p", project),
        binding(version, Stage.PRODUCTION, {"d": "1"}, "q", project),
        binding(version, Stage.PRODUCTION, {"d": "1"}, "p", replace(project, need=2)),
        binding(version, Stage.PRODUCTION, {"d": "1"}, "p", None),
        binding(version, Stage.PRODUCTION, {"d": "1"}, "p", project, "stricter gates"),
        binding(version, Stage.STAGING, {"d": "1"}, "p", project),
    ]
    bound = binding(version, Stage.PRODUCTION, {"d": "1"}, "p", project)
    assert bound == binding(replace(version, stage=Stage.STAGING), Stage.PRODUCTION, {"d": "1"}, "p", project)
    assert len({bound, *others}) == len(others) + 1


def test_what_was_seen_is_the_version_or_the_binding() -> None:
    version = a.version()
    for seen in (None, version.digest, "sha256:bound"):
        check_seen(version, "sha256:bound", seen)
    for seen in ("", "sha256:other"):
        with pytest.raises(Conflict, match="is not what was seen"):
            check_seen(version, "sha256:bound", seen)


def test_the_pattern_that_fits_an_alias_best_says_who_may_move_it() -> None:
    policy = replace(POLICY, aliases={"*": ("approvers",), "team-*": ("managers",), "team-x": ("approvers",)})
    check_may_move(policy, "team-x", Actor("ben"))
    check_may_move(policy, "team-y", Actor("olga"))
    check_may_move(replace(policy, aliases={}), "team-y", Actor("eve"))
    for alias, name in (("team-y", "ben"), ("other", "olga")):
        with pytest.raises(Refused, match=f"{name} has none of the roles that may move alias"):
            check_may_move(policy, alias, Actor(name))
