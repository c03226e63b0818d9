"""The route table: what the control plane tells the data plane. Immutable; a change is a new table with a higher revision."""

from __future__ import annotations

from bisect import bisect_right
from enum import StrEnum
from itertools import pairwise
from math import isfinite

import msgspec

from lockgate.kernel.errors import Invalid

_TRUE = 0.5  # labels at or above it are true
_MOST = 64  # segments, and bins: each worker keeps what they mean in a file of a fixed size


class Revision(msgspec.Struct, frozen=True, order=True, array_like=True):
    """Never goes backwards: `epoch` rises when state is restored from a backup, `n` with every change."""

    epoch: int = 0
    n: int = 0

    def __str__(self) -> str:
        return f"{self.epoch}.{self.n}"

    @classmethod
    def parse(cls, text: str) -> Revision:
        epoch, _, n = text.partition(".")
        return cls(int(epoch), int(n))


class Role(StrEnum):
    CHAMPION = "champion"  # the version in use
    CANARY = "canary"  # the version on trial
    HELD_BACK = "held-back"  # the version before, with a share for a while, so that a promoted champion can be compared
    RETAINED = "retained"  # kept warm so that a roll-back needs no load
    PINNED = "pinned"  # answers only when asked for by its version (Staging)


class OnFailure(StrEnum):
    """Who answers when the version that was assigned fails. The failure is that version's in either case."""

    CHAMPION = "champion"
    ERROR = "error"


class Arm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    version: int
    digest: str  # of the package's manifest
    role: Role
    weight: float = 0.0  # 0..1, share of units
    provenance: str = ""  # digest of the signed statement about the package; "": there is none


class Thresholds(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Latencies above which an answer counts as an exceedance; one entry for each quantile of the judge.

    The canary's threshold is looser than the champion's (1.25 × + 2 ms by default), because nobody is hurt by 20 µs. While a
    version is held back, the champion is what the canary was: `canary` holds for it, and `champion` for the held-back one.
    """

    id: int
    quantiles: tuple[float, ...]
    champion: tuple[float, ...]  # seconds
    canary: tuple[float, ...]  # seconds


class Shadow(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A version that is asked too and whose answers nobody gets; they are paired with the answers that were given.

    It is asked for those units whose key falls into its share: by the same hash as arms, so that shares grow without a flip.
    """

    version: int
    digest: str
    share: float = 1.0  # 0..1
    threshold: float | None = None  # two scores agree when both are on the same side of it; without one, when they are close
    tolerance: float = 1e-6
    provenance: str = ""  # as of an arm


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Requests whose header (or whose field, in all rows) has one of the values are answered by this version.

    The first rule that matches wins, before any hash. What a rule sends is no evidence: the caller chose.
    """

    version: int
    values: tuple[str, ...]
    header: str | None = None
    field: str | None = None


class Segmentation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a header, or a field with one value in all rows, says of a request: what happens is counted for each value by itself.

    A request that has none of the values is in the segment "".

    Raises:
        ValueError: neither a header nor a field is named, or the values are none, too many, empty or not different.
    """

    by: str  # header:NAME | field:NAME
    values: tuple[str, ...]  # as JSON and headers spell them

    def __post_init__(self) -> None:
        kind, _, name = self.by.partition(":")
        if kind not in ("header", "field") or not name:
            raise ValueError(f"segments by {self.by!r} found, header:NAME or field:NAME expected")
        if not 1 <= len(self.values) <= _MOST:
            raise ValueError(f"{len(self.values)} segments found, 1 to {_MOST} expected; whoever has no value is in one more")
        if "" in self.values:
            raise ValueError('segment "" found, a value expected; whoever has none of the values is in it already')
        if len(set(self.values)) < len(self.values):
            raise ValueError(f"segments {', '.join(self.values)} found, each at most once expected")


class Bins(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where scores are counted: edges a < … < z make the bins below a, from a up to below b, …, from z on.

    A request is counted once, by the score of its first row: rows of one request are not independent of each other, and a mean
    or a maximum over them would be another quantity for requests of another length.

    Raises:
        ValueError: the id is not positive, or the edges are none, too many, not finite or not ascending.
    """

    id: int  # another one for other edges: counts of different ids are never added
    edges: tuple[float, ...]

    def __post_init__(self) -> None:
        if self.id < 1:
            raise ValueError(f"bins with the id {self.id} found, 1 or above expected; 0 says that there are none")
        if not 1 <= len(self.edges) < _MOST:
            raise ValueError(f"{len(self.edges)} edges of bins found, 1 to {_MOST - 1} expected")
        if not all(map(isfinite, self.edges)) or any(upper <= lower for lower, upper in pairwise(self.edges)):
            raise ValueError(f"edges of bins {', '.join(map(str, self.edges))} found, finite and ascending ones expected")

    def place(self, score: float) -> int:
        """The bin that a score falls into, 0..len(edges)."""
        return bisect_right(self.edges, score)


def is_true(label: float) -> bool:
    return label >= _TRUE


class LabelEvent(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The event that is judged when a label comes: `missed` = the label is true and the score was below the threshold."""

    event: str  # missed | false_alarm | wrong | true | off
    threshold: float  # of the score; of `off` the tolerance, 0 or more

    @property
    def of_numbers(self) -> bool:
        """Whether labels are read as the numbers that they are; otherwise as true or false."""
        return self.event == "off"

    @property
    def words(self) -> str:
        """For people: `missed`, `false alarm`, `off by more than 5`."""
        return f"off by more than {self.threshold:g}" if self.of_numbers else self.event.replace("_", " ")

    def happened(self, score: float, label: float) -> bool:
        """Whether the event came about for one labelled prediction: the one definition, for judge, gates and watch.

        A label is true at 0.5 and above. missed: true, and the score below the threshold. false_alarm: false, and the score at
        or above it. wrong: either. true: the label is, whatever the score was: a sale, a click. off: the label is a number, and
        the score is farther from it than the threshold.

        Raises:
            Invalid: `event` is none of the five.
        """
        if self.of_numbers:
            return abs(score - label) > self.threshold
        told, truth = score >= self.threshold, is_true(label)
        if self.event == "missed":
            return truth and not told
        if self.event == "false_alarm":
            return told and not truth
        if self.event == "wrong":
            return told != truth
        if self.event == "true":
            return truth
        raise Invalid(f"label event {self.event!r} found, one of missed, false_alarm, wrong, true, off expected")


class Route(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How one model's requests are answered. Arms on trial stand before the champion (see `selector.choose`), it before a
    held-back one; in a contest it has the places of versions that were dropped too, each as an arm. rollout: by whose assignment
    units are told apart, a rollout's id or a hold's; None while nobody compares.
    """

    model: str
    arms: tuple[Arm, ...]
    salt: str = ""
    unit: str = "request"  # request | header:NAME | field:NAME
    rollout: str | None = None
    thresholds: Thresholds | None = None
    shadows: tuple[Shadow, ...] = ()
    rules: tuple[Rule, ...] = ()
    on_failure: OnFailure = OnFailure.CHAMPION
    timeout: float = 10.0  # seconds from arrival within which an answer is worth giving
    redacted: tuple[str, ...] = ()  # inputs that no record keeps
    segments: Segmentation | None = None
    bins: Bins | None = None
    learns: bool | None = None  # whether lessons are taken in; False: not now; None: the model does not learn online
    parts: tuple[Part, ...] = ()

    def __post_init__(self) -> None:
        """Raises ValueError if a part is of no segment, of one that has a part, or of another model or kind of segment."""
        values = self.segments.values if self.segments is not None else ()
        seen: set[str] = set()
        for part in self.parts:
            if part.segment not in values:
                raise ValueError(f"a part for the segment {part.segment!r} found, one of {', '.join(values) or 'none'} expected")
            if part.segment in seen:
                raise ValueError(f"two parts for the segment {part.segment!r} found, at most one expected")
            seen.add(part.segment)
            if (part.route.model, part.route.segments) != (self.model, self.segments) or part.route.parts:
                raise ValueError(f"the part for {part.segment!r} must be of the same model and segments, and without parts")

    @property
    def champion(self) -> Arm | None:
        return next((arm for arm in self.arms if arm.role is Role.CHAMPION), None)

    @property
    def canary(self) -> Arm | None:
        return next((arm for arm in self.arms if arm.role is Role.CANARY), None)

    @property
    def with_parts(self) -> tuple[Route, ...]:
        """The route itself, then those of its parts."""
        return (self, *(part.route for part in self.parts))

    def on_trial(self, arm: Arm) -> bool:
        """Whether the arm is compared with the champion before it: a canary, or a champion beside the one that is held back."""
        beside = any(one.role is Role.HELD_BACK for one in self.arms)
        return arm.role is Role.CANARY or (arm.role is Role.CHAMPION and beside)


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How one segment's requests are answered where it has a champion, or a rollout, of its own.

    segment: one of the values by which the model's route tells segments apart. route: of the same model, with the same
    segments and without parts. What the model's route says of rules does not hold there: its own rules are all.
    """

    segment: str
    route: Route


class RouteTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    revision: Revision = Revision()
    routes: tuple[Route, ...] = ()

    def route(self, model: str) -> Route | None:
        return next((route for route in self.routes if route.model == model), None)

    def digests(self) -> frozenset[str]:
        routes = [one for route in self.routes for one in route.with_parts]
        arms = {arm.digest for route in routes for arm in route.arms}
        return frozenset(arms | {shadow.digest for route in routes for shadow in route.shadows})
