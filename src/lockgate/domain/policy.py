"""The policy: what no project file may loosen, as the platform's owners wrote it. Without one, the project file alone holds."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from lockgate.domain.models import Stage

EXPIRY = 14 * 86400.0  # seconds after which an open request is nobody's question any more
CURRENT = "current"


@dataclass(frozen=True, slots=True)
class Edge:
    """from_stage: None: any."""

    from_stage: Stage | None
    to_stage: Stage


@dataclass(frozen=True, slots=True)
class StageRule:
    """What it takes to come into a stage, beside what the project file asks for: of both, the stricter holds.

    need: yes of so many different people. roles: of which each must have one; empty: anybody. excluded: as in
    projects.ApprovalPolicy. gates: that must have passed, or be waived. authenticated: a name that was only given does not count.
    """

    need: int = 1
    roles: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    gates: tuple[str, ...] = ()
    authenticated: bool = False


@dataclass(frozen=True, slots=True)
class BreakGlassRule:
    """Who may let a version through alone, and for how many seconds the way stands open."""

    roles: tuple[str, ...] = ()
    seconds: float = 3600.0


@dataclass(frozen=True, slots=True)
class WaiverRule:
    """Who may let a gate count as passed, and for how many seconds at most."""

    roles: tuple[str, ...] = ()
    longest: float = 30 * 86400.0


@dataclass(frozen=True, slots=True)
class SignatureRule:
    """required: nothing answers that is not signed by this home's own key or one of `keys`, and by none of `revoked`.

    keys, revoked: as `ed25519:BASE64 NAME`.
    """

    required: bool = False
    keys: tuple[str, ...] = ()
    revoked: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Policy:
    """edges: the moves that there are; None: all. roles: name → names of users, and of groups as `group:NAME`. stages: by name.
    aliases: name → roles that may move it. expiry: seconds that a request stays open. trusted_types: classes a package may be
    made of beside those that Lockgate trusts. targets: hosts, as `name` or `name:port`, that webhooks may go to although they are
    private. Without a rule for break-glass or waivers nobody may.
    """

    edges: tuple[Edge, ...] | None = None
    roles: dict[str, tuple[str, ...]] = field(default_factory=dict)
    stages: dict[str, StageRule] = field(default_factory=dict)
    aliases: dict[str, tuple[str, ...]] = field(default_factory=dict)
    expiry: float = EXPIRY
    break_glass: BreakGlassRule | None = None
    waivers: WaiverRule | None = None
    trusted_types: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    signatures: SignatureRule = SignatureRule()


@dataclass(frozen=True, slots=True)
class PolicyRecord:
    """The policy in force. There is one. text: as it was written; digest: of the text. own_key: by which this home signed when
    it was set, where signatures are asked for.
    """

    policy: Policy
    text: str
    digest: str
    set_by: str
    set_at: datetime
    name: str = CURRENT
    own_key: str = ""


@dataclass(frozen=True, slots=True)
class BrokenGlass:
    """A time in which one person may let versions through alone. Everybody sees it, and why."""

    id: str
    by: str
    why: str
    opened_at: datetime
    until: datetime
    model: str = ""  # "": all
