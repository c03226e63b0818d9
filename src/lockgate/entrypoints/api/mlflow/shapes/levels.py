"""Databricks' permission levels, as the policy and the project file give them: they are read here, and set there."""

from __future__ import annotations

from typing import Any

from lockgate.domain.models import Stage
from lockgate.domain.people import Actor
from lockgate.ports.state import Reader
from lockgate.stages.decide.entry import lacked_roles
from lockgate.stages.decide.roles import GROUP
from lockgate.usecases.find_rule import rule_for
from lockgate.usecases.find_things import policy_of

EDIT, STAGING, PRODUCTION = "CAN_EDIT", "CAN_MANAGE_STAGING_VERSIONS", "CAN_MANAGE_PRODUCTION_VERSIONS"
EVERYBODY = "users"  # the group of all users, in Databricks' words
LEVELS = (
    ("CAN_READ", "May see everything, and ask for a transition."),
    (EDIT, "May also describe, tag and comment, and decide moves out of Staging and Production."),
    (STAGING, "May also decide requests into Staging, as far as the rule of the stage lets them."),
    (PRODUCTION, "May also decide requests into Production, as far as the rule of the stage lets them."),
    ("CAN_MANAGE", "Nobody's: who may do what is the policy's matter (lockgate policy set FILE)."),
)


def level_of(tx: Reader, model: str, viewer: Actor) -> str:
    """The highest that the roles of the viewer reach. Which of two different people decides is the request's matter."""
    if _may_decide(tx, model, Stage.PRODUCTION, viewer):
        return PRODUCTION
    return STAGING if _may_decide(tx, model, Stage.STAGING, viewer) else EDIT


def access_list(tx: Reader, model: str) -> list[dict[str, Any]]:
    """What everybody may, and each whom the policy gives a role to."""
    members = sorted({member for members in policy_of(tx).roles.values() for member in members})
    named = [_entry(tx, model, member) for member in members]
    return [_given("group_name", EVERYBODY, level_of(tx, model, Actor("", authenticated=True))), *named]


def _entry(tx: Reader, model: str, member: str) -> dict[str, Any]:
    if member.startswith(GROUP):
        group = member.removeprefix(GROUP)
        return _given("group_name", group, level_of(tx, model, Actor("", authenticated=True, groups=(group,))))
    return _given("user_name", member, level_of(tx, model, Actor(member, authenticated=True)))


def _given(kind: str, name: str, level: str) -> dict[str, Any]:
    inherited = {"inherited": True, "inherited_from_object": ["/registered-models/"]}
    return {kind: name, "display_name": name, "all_permissions": [{"permission_level": level, **inherited}]}


def _may_decide(tx: Reader, model: str, stage: Stage, viewer: Actor) -> bool:
    rule = rule_for(tx, model, stage)
    return not lacked_roles(rule, policy_of(tx), viewer) and (viewer.authenticated or not rule.authenticated)
