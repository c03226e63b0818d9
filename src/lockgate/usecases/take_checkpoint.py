"""A checkpoint: what a model has learned since its parent becomes a package and a version of its own.

The package is its parent's with another model file: the golden rows are the same, with the scores that the model gives now, and
its lineage names the parent's package and the lessons since. From these two it is made again, bit for bit (`replay_learning`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from msgspec import structs

from lockgate.boundary.manifest import File, Golden, Manifest, encode
from lockgate.domain.environments import PRODUCTION
from lockgate.domain.events import Action, Happened
from lockgate.domain.learning import Learned, Learning, LoggedLesson
from lockgate.domain.models import ModelVersion
from lockgate.domain.people import LEARNER
from lockgate.domain.rollouts import Plan
from lockgate.kernel.digest import digest_bytes
from lockgate.ports.learners import Learner
from lockgate.ports.state import LEARNINGS, MODELS, VERSIONS, Writer
from lockgate.stages.deliver.online import lessons
from lockgate.usecases.check_signature import against_signature
from lockgate.usecases.find_things import model_named, version_of
from lockgate.usecases.find_trials import trial_of
from lockgate.usecases.open_learner import Opened, learner_of
from lockgate.usecases.sign_version import next_number, record_signed, renumbered, with_papers
from lockgate.usecases.start_rollout import in_the_way, open_rollout
from lockgate.usecases.world import World


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A package that is made and not registered. opened: it, read back. lessons: digest of the artifact that holds them."""

    opened: Opened
    files: Mapping[str, bytes]
    lessons: str

    @property
    def digest(self) -> str:
        return self.opened.digest


def packaged(world: World, parent: Opened, learner: Learner, lessons_digest: str) -> Checkpoint:
    """What the parent's package becomes by what the learner holds now. Nothing is stored.

    Raises:
        LockgateError: the model cannot be kept, or not read back.
    """
    files = learner.files()
    asked = learner_of(world, parent.digest, parent.manifest, files)  # not the one that goes on learning: asking leaves no trace
    given = parent.manifest.golden.inputs
    rows = [dict(zip(given, values, strict=True)) for values in zip(*given.values(), strict=True)]
    lineage = parent.manifest.lineage
    manifest = structs.replace(
        parent.manifest,
        files=tuple(File(name, digest_bytes(content), len(content)) for name, content in files.items()),
        golden=Golden(given, [asked.score(row) for row in rows], parent.manifest.golden.tolerance),
        lineage=structs.replace(
            lineage, author=LEARNER.name, data=lineage.data | {"lessons": lessons_digest, "parent": parent.digest}
        ),
    )
    digest = digest_bytes(encode(manifest))
    return Checkpoint(Opened(digest, manifest, learner_of(world, digest, manifest, files)), files, lessons_digest)


def take_checkpoint(world: World, parent: Opened, learner: Learner, learned: Iterable[LoggedLesson]) -> Checkpoint:
    """The checkpoint with all its artifacts stored. learned: the rows since the parent.

    Raises:
        As `packaged`. Unavailable: the store of artifacts.
    """
    made = packaged(world, parent, learner, world.artifacts.put(lessons.encode(learned)))
    for content in (*made.files.values(), encode(made.opened.manifest)):
        world.artifacts.put(content)
    return made


def drawn_up(world: World, learning: Learning, made: Checkpoint, event_rate: float | None) -> ModelVersion:
    """The version that the checkpoint is to become, with its papers signed. Nothing is registered.

    event_rate: of the judged event among the rows since the parent, by what the model scored before it learned each.
    """
    with world.state.read() as tx:
        base = version_of(tx, learning.model, learning.base)
    version = ModelVersion(
        model=learning.model,
        version=next_number(world, learning.model),
        digest=made.digest,
        run=base.run,
        author=LEARNER.name,
        created_at=world.clock.now(),
        dirty=base.dirty,
        metrics={} if event_rate is None else {"event_rate": event_rate},
        reference=base.reference,
        learned=Learned(learning.course, learning.checkpoint, learning.checkpoint_at, learning.learned, made.lessons),
    )
    return with_papers(world, version, None)


def register_checkpoint(
    world: World, tx: Writer, learning: Learning, made: Checkpoint, drawn: ModelVersion, plan: Plan
) -> Learning:
    """The learning after its checkpoint has become a version, which is judged if nothing else is under way in Production.

    drawn: see `drawn_up`.
    """
    model, now = model_named(tx, learning.model), drawn.created_at
    number = model.latest_version + 1
    tx.put(MODELS, replace(model, latest_version=number))
    version = renumbered(world, drawn, number, None)
    tx.put(VERSIONS, version)
    tx.record(_registered(version, made.opened.manifest, now))
    record_signed(tx, world, version, LEARNER, now)
    changed = replace(learning, checkpoint=number, checkpoint_at=learning.learned)
    tx.put(LEARNINGS, changed)
    if _may_be_judged(tx, version, plan):
        open_rollout(tx, version, PRODUCTION, LEARNER, now, plan=plan)
    return changed


def _registered(version: ModelVersion, manifest: Manifest, now: datetime) -> Happened:
    learned = version.learned
    commit = manifest.lineage.commit
    details: dict[str, object] = {"run": version.run, "digest": version.digest, "commit": commit, "cause": "learning"}
    if learned is not None:
        details |= {"course": learned.course, "parent": learned.parent, "first": learned.first, "end": learned.end}
    subject, who = f"{version.model}/{version.version}", LEARNER
    action = Action.VERSION_REGISTERED
    return Happened(action, who.name, who.authenticated, now, subject, version.model, version.version, details)


def _may_be_judged(tx: Writer, version: ModelVersion, plan: Plan) -> bool:
    """What nobody trusted signed waits until somebody has: learning goes on meanwhile."""
    free = trial_of(tx, version.model) is None and in_the_way(tx, version.model, PRODUCTION, plan) is None
    return free and against_signature(tx, version) is None
