"""Make a version's checkpoints again from its course's base and the lessons: what was learned can be checked by anybody."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from lockgate.domain.learning import Learned
from lockgate.domain.models import ModelVersion
from lockgate.kernel.digest import short
from lockgate.kernel.errors import Invalid, LockgateError
from lockgate.ports.state import Reader
from lockgate.stages.deliver.online.lessons import decode, rows
from lockgate.usecases.find_things import version_of
from lockgate.usecases.open_learner import open_learner
from lockgate.usecases.take_checkpoint import packaged
from lockgate.usecases.world import World


@dataclass(frozen=True, slots=True)
class Relearned:
    """A checkpoint, made again from its parent's package and its lessons. found: None where that failed, as `says` tells."""

    version: int
    parent: int
    rows: int
    expected: str
    found: str | None
    says: str

    @property
    def same(self) -> bool:
        return self.found == self.expected


def replay_learning(world: World, model: str, version: int) -> list[Relearned]:
    """Each checkpoint from the course's first to this version, from the package of the one before as it is stored: so every
    difference is seen where it came about. The same bytes are found under the same PYTHONHASHSEED as the learner's, which is 0.

    Raises:
        NotFound: no such version. Invalid: it is no checkpoint.
    """
    with world.state.read() as tx:
        chain = _chain(tx, version_of(tx, model, version))
    return [_again(world, parent, child) for parent, child in pairwise(chain)]


def _chain(tx: Reader, version: ModelVersion) -> list[ModelVersion]:
    """From the base on."""
    if version.learned is None:
        raise Invalid(
            f"version {version.version} of {version.model} was built by {version.run}, and learned nothing online",
            hint=f"Name a checkpoint: lockgate versions {version.model}",
        )
    course, chain = version.learned.course, [version]
    while (learned := chain[0].learned) is not None and learned.course == course:
        chain.insert(0, version_of(tx, version.model, learned.parent))
    return chain


def _again(world: World, parent: ModelVersion, child: ModelVersion) -> Relearned:
    learned = child.learned
    if learned is None:
        raise Invalid(f"version {child.version} of {child.model} is no checkpoint")
    try:
        found, count = _made(world, parent, learned)
    except LockgateError as error:
        return Relearned(child.version, parent.version, learned.end - learned.first, child.digest, None, error.message)
    same = found == child.digest
    says = "the same, bit for bit" if same else f"{short(child.digest)} was registered, {short(found)} comes of its lessons"
    return Relearned(child.version, parent.version, count, child.digest, found, says)


def _made(world: World, parent: ModelVersion, learned: Learned) -> tuple[str, int]:
    """The digest of the package, and how many rows it learned."""
    opened, count = open_learner(world, parent), 0
    for _, row, label in rows(decode(world.artifacts.get(learned.lessons)), opened.inputs):
        if row is not None:
            opened.learner.score(row)  # as the learner did, whose model is asked about every row before it learns it
            opened.learner.learn(row, label)
        count += 1
    return packaged(world, opened, opened.learner, learned.lessons).digest, count
