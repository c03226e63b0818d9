"""Who acts."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Actor:
    """`authenticated` is false where a name was only given (`--as NAME` on a local home): the record says so.

    groups: as an identity provider or an administrator tells them; a policy may give a role to a group.
    """

    name: str
    authenticated: bool = False
    groups: tuple[str, ...] = ()


POLICY = Actor("policy", authenticated=True)  # decides where `deployment: automatic` says so
CONTROLLER = Actor("controller", authenticated=True)  # moves rollouts as the evidence says
WATCH = Actor("watch", authenticated=True)  # finds what the world has done to a model
LEARNER = Actor("learner", authenticated=True)  # registers checkpoints of models that learn online, and stops on an alarm
