"""What a pointer says of the versions that it names: which must be ready, which first, and whether it agrees with itself."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from lockgate.boundary.envelopes import decode, payload_of
from lockgate.boundary.pointers import POINTER, Pointer
from lockgate.boundary.releases import Release
from lockgate.boundary.routes import Role, Route
from lockgate.kernel.errors import Corrupt

_IN_ORDER = (Role.CHAMPION, Role.CANARY, Role.HELD_BACK, Role.RETAINED, Role.PINNED)


def check_consistent(pointer: Pointer) -> None:
    """Raises Corrupt if the route names a package that the releases do not, or of another model."""
    model = pointer.route.model
    for route in pointer.route.with_parts:
        for arm in route.arms:
            release = pointer.release(arm.version)
            if release.digest != arm.digest or release.model != model or not pointer.channel.startswith(f"{model}@"):
                raise Corrupt(f"the pointer of {pointer.channel} says two things of version {arm.version}")


def answering_versions(route: Route) -> frozenset[int]:
    """Those that may be asked: with a share, or about to get one, or sent to by a rule. All others only lie at hand."""
    routes = route.with_parts
    arms = {arm.version for one in routes for arm in one.arms if arm.weight > 0 or arm.role in (Role.CHAMPION, Role.CANARY)}
    return frozenset(arms | {rule.version for one in routes for rule in one.rules})


def in_order(pointer: Pointer) -> Sequence[Release]:
    """The releases, those first without which nothing answers."""
    ranks: dict[int, int] = {}
    for route in pointer.route.with_parts:
        for arm in route.arms:
            ranks[arm.version] = min(_IN_ORDER.index(arm.role), ranks.get(arm.version, len(_IN_ORDER)))
    return sorted(pointer.releases, key=lambda one: ranks.get(one.version, len(_IN_ORDER)))


def unverified(content: bytes) -> Pointer | None:
    """What a pointer says, whoever said it; None if it cannot be read."""
    try:
        envelope = decode(content, POINTER)
        return msgspec.json.decode(payload_of(envelope, POINTER), type=Pointer)
    except (Corrupt, msgspec.DecodeError):
        return None
