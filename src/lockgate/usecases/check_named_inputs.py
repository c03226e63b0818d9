"""Are the inputs that the project file redacts, or routes by, inputs at all? Known once a version is packaged.

A misspelt name would be kept in every record, and nobody would know. A name that only an older version knows is right as long as
that version is served: taking it out of the file sooner would end its redaction there.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator

from lockgate.boundary.manifest import Signature, decode, names
from lockgate.kernel.errors import Corrupt, Fault, Invalid, InvalidInput, NotFound
from lockgate.project.load import FILE, Project
from lockgate.usecases.publish_routes import route_table
from lockgate.usecases.world import World

_PLACE = "environments.production"
_FIELD = "field:"


def check_named_inputs(world: World, project: Project, signature: Signature) -> None:
    """signature: of the version that is about to be registered.

    Raises:
        InvalidInput: names that neither it nor any version that is served knows; all of them.
    """
    known = set(names(signature.inputs))
    unknown = [(place, name) for place, name in _named(project) if name not in known]
    served = _served_inputs(world, project.model) if unknown else set()
    faults = [_fault(place, name, known) for place, name in unknown if name not in served]
    if faults:
        raise InvalidInput(FILE, faults, hint="Correct the names and run again: what was built is reused.")


def _named(project: Project) -> Iterator[tuple[str, str]]:
    production = project.delivery.production
    for index, name in enumerate(production.redact):
        yield f"{_PLACE}.redact[{index}]", name
    for index, rule in enumerate(production.rules):
        if rule.field is not None:
            yield f"{_PLACE}.rules[{index}].field", rule.field
    if production.champions is not None and production.champions.by.startswith(_FIELD):
        yield f"{_PLACE}.champions.by", production.champions.by.removeprefix(_FIELD)


def _served_inputs(world: World, model: str) -> set[str]:
    """A package that cannot be read knows no inputs: better one word too many than a record too many."""
    with world.state.read() as tx:
        route = route_table(tx).route(model)
    inputs: set[str] = set()
    for arm in (arm for one in (route.with_parts if route else ()) for arm in one.arms):
        try:
            inputs.update(names(decode(world.artifacts.get(arm.digest), arm.digest).signature.inputs))
        except (NotFound, Corrupt, Invalid):
            continue
    return inputs


def _fault(place: str, name: str, known: set[str]) -> Fault:
    close = difflib.get_close_matches(name, known, 1)
    message = f"{name!r} is no input of this version, nor of one that is served; {', '.join(sorted(known))} expected"
    return Fault(place, message, FILE, suggestion=close[0] if close else None)
