"""A route whose versions each say which signed statement vouches for them, so that the data plane can see for itself."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import structs

from lockgate.boundary.routes import Route


def with_papers(route: Route, provenance: Callable[[int], str]) -> Route:
    """provenance: of a version, the digest of the statement; "" where there is none."""
    return structs.replace(
        route,
        arms=tuple(structs.replace(arm, provenance=provenance(arm.version)) for arm in route.arms),
        shadows=tuple(structs.replace(shadow, provenance=provenance(shadow.version)) for shadow in route.shadows),
        parts=tuple(structs.replace(part, route=with_papers(part.route, provenance)) for part in route.parts),
    )
