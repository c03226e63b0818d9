"""A project as the server knows it: where it lies, and what its file said when it was last read."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

from lockgate.boundary.routes import OnFailure, Segmentation
from lockgate.domain.environments import PRODUCTION
from lockgate.domain.rollouts import Plan


class Deployment(StrEnum):
    MANUAL = "manual"  # continuous delivery: a person says go
    AUTOMATIC = "automatic"  # continuous deployment: the evidence says go


@dataclass(frozen=True, slots=True)
class ApprovalPolicy:
    """need: different people. excluded: of `requester` and `author` (of the version's commit), who may not decide. roles: of the
    platform's policy, of which each must have one; none: anybody. said: whether the project file has a word about it.
    """

    need: int = 1
    excluded: tuple[str, ...] = ("requester", "author")
    roles: tuple[str, ...] = ()
    said: bool = False


@dataclass(frozen=True, slots=True)
class TrafficRule:
    """Requests whose header (or whose field, in all rows) has one of the values go to one version, before any share is looked at.

    to: a version's number, or the version that stands in Staging at the time.
    """

    values: tuple[str, ...]
    to: int | Literal["staging"]
    header: str | None = None
    field: str | None = None


@dataclass(frozen=True, slots=True)
class Answers:
    """How requests are answered, whichever version answers.

    on_failure: who answers when the version that was assigned fails. timeout: seconds. redacted: inputs that no record keeps.
    rules: the first that matches wins.
    """

    on_failure: OnFailure = OnFailure.CHAMPION
    timeout: float = 10.0
    redacted: tuple[str, ...] = ()
    rules: tuple[TrafficRule, ...] = ()


@dataclass(frozen=True, slots=True)
class Champions:
    """Segments that may each have a champion of their own. by: header:NAME or field:NAME, as in boundary.routes.Segmentation."""

    by: str
    segments: tuple[str, ...]

    @property
    def segmentation(self) -> Segmentation:
        return Segmentation(self.by, self.segments)


@dataclass(frozen=True, slots=True)
class After:
    """Where a version must stand, and for how many seconds at least without having been taken out, before it may come in."""

    environment: str
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Environment:
    """deployment: by whose go versions come in; None: as the project says of all."""

    plan: Plan = field(default_factory=Plan)
    approvals: ApprovalPolicy = field(default_factory=ApprovalPolicy)
    answers: Answers = field(default_factory=Answers)
    champions: Champions | None = None
    after: After | None = None
    deployment: Deployment | None = None


@dataclass(frozen=True, slots=True)
class ProjectRecord:
    """What the server goes by until the next run reads the project file anew.

    watch: the file's watch part, as JSON. gates: digest of its gates.
    """

    model: str
    folder: str
    deployment: Deployment
    environments: dict[str, Environment] = field(default_factory=dict)
    watch: dict[str, Any] = field(default_factory=dict)
    gates: str = ""

    def is_automatic(self, environment: str) -> bool:
        """Whether versions come into the environment by the evidence's go."""
        own = self.environments.get(environment, Environment()).deployment
        return (self.deployment if own is None else own) is Deployment.AUTOMATIC

    @property
    def first(self) -> str:
        """The environment that a version comes into first, where they stand in a row."""
        after = self.environments.get(PRODUCTION, Environment()).after
        return after.environment if after else PRODUCTION
