"""Write a version's model card from all that is recorded of it."""

from __future__ import annotations

from lockgate.boundary.manifest import decode
from lockgate.domain.events import Action
from lockgate.domain.models import CHAMPION, ModelVersion, TransitionRequest, segment_of
from lockgate.kernel.errors import LockgateError
from lockgate.ports.artifacts import ArtifactStore
from lockgate.ports.state import ALIASES, COMMENTS, FORMS, NOTES, REQUESTS, RUNS, WAIVERS, Reader
from lockgate.stages.decide.card import CardFacts, Learned, Remarks, Standing, card
from lockgate.stages.decide.waiving import waive
from lockgate.stages.watch import reference
from lockgate.usecases.find_answers import answers_to
from lockgate.usecases.find_gates import gates_of
from lockgate.usecases.find_things import version_of
from lockgate.usecases.world import World


def write_card(world: World, model: str, number: int) -> str:
    """Markdown. The same record makes the same card.

    Raises:
        NotFound: no such version. Corrupt: its package's manifest was altered.
    """
    with world.state.read() as tx:
        version = version_of(tx, model, number)
        requests = tx.find(REQUESTS, model=model, version=number)
        facts = CardFacts(
            version=version,
            gates=waive(gates_of(tx, version), tx.find(WAIVERS, model=model), number, world.clock.now()),
            run=tx.get(RUNS, version.run),
            standings=_standings(tx, version),
            aliases=tuple(one.name for one in tx.find(ALIASES, model=model) if one.version == number),
            requests=requests,
            remarks={one.id: _remarks(tx, one) for one in requests},
            comments=tx.find(COMMENTS, model=model, version=number),
            model_notes=tx.get(NOTES, model, 0),
            notes=tx.get(NOTES, model, number),
            forms=tx.find(FORMS, model=model, version=number),
            manifest=decode(world.artifacts.get(version.digest), version.digest) if world.artifacts.has(version.digest) else None,
            learned=_learned(world.artifacts, version.reference),
        )
    return card(facts)


def _remarks(tx: Reader, request: TransitionRequest) -> Remarks:
    found = answers_to(tx, request)
    return Remarks({at: glass.why for (_, at), glass in found.glasses.items()}, found.closed_by)


def _standings(tx: Reader, version: ModelVersion) -> tuple[Standing, ...]:
    """Its stage, and the segments whose champion it is, each since when and by whom as the record says."""
    events = [one.happened for one in tx.events(subject=f"{version.model}/{version.version}")]
    stage = [one for one in events if one.action in (Action.STAGE_APPLIED, Action.STAGE_ARCHIVED)]
    found = [Standing(version.stage.value, stage[-1].at, stage[-1].actor)] if stage else []
    for alias in tx.find(ALIASES, model=version.model):
        if alias.version == version.version and alias.name != CHAMPION and (segment := segment_of(alias.name)):
            set_by = [one for one in events if one.action is Action.ALIAS_SET and one.details.get("alias") == alias.name]
            at, by = (set_by[-1].at, set_by[-1].actor) if set_by else (None, "")
            found.append(Standing(f"Champion of {segment}", at, by))
    return tuple(found)


def _learned(artifacts: ArtifactStore, digest: str | None) -> Learned | None:
    """What can be said of the data without them; None where the reference is not there or cannot be read any more."""
    if digest is None or not artifacts.has(digest):
        return None
    try:
        found = reference.decode(artifacts.get(digest))
    except LockgateError:
        return None
    texts = tuple(name for name, bins in found.features.items() if bins.values is not None)
    numbers = tuple(name for name in found.features if name not in texts)
    events = found.performance.events if found.performance.event is not None else None
    return Learned(found.rows, numbers, texts, found.performance.labels, events)
