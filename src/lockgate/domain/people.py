"""Who acts."""

from __future__ import annotations

import unicodedata
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
NOTIFIER = Actor("notifier", authenticated=True)  # gives deliveries up, and disables webhooks whose receiver is gone

LONGEST_NAME = 100
_OWN_NAMES = frozenset({"anonymous", *(one.name for one in (POLICY, CONTROLLER, WATCH, LEARNER, NOTIFIER))})
_GROUP = "group:"  # how a policy tells a group from a user; a user of such a name would have the group's roles


def folded(name: str) -> str:
    """The name, or the e-mail address, as it is compared with others: whoever writes it in another case is no other person."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def fault_in_name(name: str) -> str | None:
    """Why nobody may act by that name; None if somebody may."""
    if not 0 < len(name) <= LONGEST_NAME or not name.isprintable() or name != name.strip():
        return f"a name of 1 to {LONGEST_NAME} printable characters (UTF-8) expected"
    if folded(name) in _OWN_NAMES:
        return f"only Lockgate itself acts as {name!r}"
    return f"{name!r} found, which is how a policy names a group" if name.lower().startswith(_GROUP) else None
