"""Which channels there are, and where each points: what of a route a program can honour that answers by itself.

Nobody gets the answers of a shadow, and a program that nobody asked would pay for them: shadows stay with the gateway. All else
stands as the gateway has it, so that the same key, and the same segment, meets the same version there and here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import structs

from lockgate.boundary.pointers import Pointer, channel_of
from lockgate.boundary.releases import Release
from lockgate.boundary.routes import Arm, Part, Revision, Role, Route, RouteTable
from lockgate.domain.environments import PRODUCTION, STAGING
from lockgate.domain.models import ModelVersion
from lockgate.kernel.errors import Corrupt
from lockgate.stages.deliver.vouched_routes import with_papers

_TICK = 0.001  # seconds


def channels(table: RouteTable, staged: Sequence[ModelVersion]) -> dict[str, Route]:
    """The route behind each channel, by the channel's name. staged: the versions in Staging, of all models, oldest first."""
    found = {channel_of(route.model, PRODUCTION): followable(route) for route in table.routes if route.champion is not None}
    for model in dict.fromkeys(one.model for one in staged):
        found[channel_of(model, STAGING)] = _staging([one for one in staged if one.model == model])
    return found


def followable(route: Route) -> Route:
    """What of it a program can honour that answers by itself."""
    parts = tuple(Part(part.segment, followable(part.route)) for part in route.parts)
    return structs.replace(route, shadows=(), learns=None, parts=parts)


def versions_of(route: Route) -> tuple[int, ...]:
    """All that it names, each once, ascending."""
    return tuple(sorted({arm.version for one in route.with_parts for arm in one.arms}))


def pointer(channel: str, route: Route, versions: Mapping[int, ModelVersion], revision: Revision, now: float) -> Pointer:
    """versions: those that the route names, by number. now: Unix seconds.

    Raises:
        Corrupt: one of them is missing.
    """
    if missing := [str(number) for number in versions_of(route) if number not in versions]:
        raise Corrupt(f"the route of {channel} names version {', '.join(missing)}, which the registry does not have")
    releases = tuple(_release(versions[number]) for number in versions_of(route))
    return Pointer(channel, revision, with_papers(route, lambda number: versions[number].provenance), releases, now)


def next_pointer(standing: Pointer | None, wanted: Pointer, *, renewed: bool = False) -> Pointer | None:
    """What is to be published where `standing` is; None if that says the same already, or is newer.

    renewed: it is to be published again though it says the same, as when it was signed by a former key.

    Where two say different things under one revision the later one counts, so it is issued after the other whatever the clock
    says.
    """
    if standing is None:
        return wanted
    if standing.revision > wanted.revision:
        return None
    if (standing.route, standing.releases) == (wanted.route, wanted.releases) and not renewed:
        return None
    return structs.replace(wanted, issued_at=max(wanted.issued_at, standing.issued_at + _TICK))


def emptied(standing: Pointer) -> Route:
    """The route of a channel behind which nothing stands any more: whoever follows is told so, and not left with the last one."""
    return Route(standing.route.model, ())


def _staging(staged: Sequence[ModelVersion]) -> Route:
    """The latest answers; others that stand there too are kept at hand."""
    last, others = staged[-1], staged[:-1]
    kept = (Arm(one.version, one.digest, Role.PINNED, provenance=one.provenance) for one in others)
    return Route(last.model, (Arm(last.version, last.digest, Role.CHAMPION, 1.0, last.provenance), *kept))


def _release(version: ModelVersion) -> Release:
    return Release(version.model, version.version, version.digest, version.provenance, version.sbom)
