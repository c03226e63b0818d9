"""Package a version: build a form of it, have the form answer, and let it out only if it answers as the original did."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from lockgate.domain.events import Action, Happened
from lockgate.domain.forms import BuiltForm, Contents, Form
from lockgate.domain.people import Actor
from lockgate.kernel.errors import LockgateError, Refused
from lockgate.ports.forms import FormBuilder
from lockgate.ports.outbox import Outbox
from lockgate.ports.state import FORMS, Writer
from lockgate.stages.build.packaging.parity import Parity, verify
from lockgate.usecases.find_things import version_of
from lockgate.usecases.gather_contents import gather_signed
from lockgate.usecases.world import World

Tell = Callable[[str], None]
Push = Callable[[Path], str]
_MOST_ROWS = 5


@dataclass(frozen=True, slots=True)
class PackagedForm:
    """Where the file lies, and what this asking told of each version in it. before: what was known of the first one's last such
    form, if any.
    """

    path: Path
    built: tuple[BuiltForm, ...]
    before: BuiltForm | None

    @property
    def same(self) -> bool:
        """Whether this is, byte for byte, what was there before."""
        return self.before is not None and self.before.digest == self.built[0].digest


def package_version(
    world: World,
    builder: FormBuilder,
    versions: Sequence[tuple[str, int]],
    outbox: Outbox,
    actor: Actor,
    *,
    push: Push | None = None,
    tell: Tell = lambda _phase: None,
) -> PackagedForm:
    """One file that holds the versions, proven where it was built. tell: is given the name of each phase as it begins.

    versions: model and number of each; several, of different models, only where the form can hold them. push: brings the file
    further and says where to. If that fails the file stays, and so does what is known of it.

    Raises:
        Refused: a version is not signed, or the form does not answer as the original did: then nothing is left of it.
        NotFound, Corrupt, Invalid, Unavailable: as `gather` and ports.forms.FormBuilder; then nothing is left of it either.
    """
    with outbox.draft() as draft:
        tell("gathering what the version is made of")
        contents = gather_signed(world, versions, draft)
        tell(f"building the {builder.form.value}")
        (folder := draft / "built").mkdir()
        file = builder.build(contents, folder)
        tell("asking it the golden rows where nothing else is")
        built = [_proven(builder, file, one, actor, world.clock.now()) for one in contents]
        path = outbox.place(file)
    pushed = ""
    try:
        if push is not None:
            tell("pushing it")
            pushed = _pushed(push, path)
    finally:  # what is proven is known, also where it could not be pushed
        packaged = _record(world, [replace(one, pushed=pushed) for one in built], actor, path)
    return packaged


def _pushed(push: Push, path: Path) -> str:
    try:
        return push(path)
    except LockgateError as error:
        error.hint = " ".join(filter(None, (error.hint, f"The file is proven, and stayed at {path}.")))
        raise


def _proven(builder: FormBuilder, file: Path, contents: Contents, actor: Actor, at: datetime) -> BuiltForm:
    asked = builder.ask(file, contents)
    golden, release = contents.manifest.golden, contents.release
    parity = verify(golden, asked.scores)
    if not parity.holds:
        raise _refusal(builder.form, contents, parity)
    return BuiltForm(
        model=release.model,
        version=release.version,
        form=builder.form,
        digest=builder.digest(file),
        file=file.name,
        size=file.stat().st_size,
        rows=len(golden.scores),
        difference=float(parity.differences.max()),
        tolerance=golden.tolerance,
        cold_start=asked.cold_start,
        environment=asked.environment,
        by=actor.name,
        at=at,
    )


def _refusal(form: Form, contents: Contents, parity: Parity) -> Refused:
    rows = "".join(f"\n  {row}" for row in parity.differing(_MOST_ROWS))
    return Refused(
        f"the {form.value} of {contents.release} does not answer as the original did, and was not kept: {parity}{rows}",
        hint="What runs it there is another version than what trained it. Run the pipeline again for a version that goes by it.",
    )


def _record(world: World, built: Sequence[BuiltForm], actor: Actor, path: Path) -> PackagedForm:
    """All versions of the file in one transaction."""
    with world.state.write() as tx:
        before = tx.get(FORMS, built[0].model, built[0].version, built[0].form.value)
        known = tuple(_put(tx, one, actor) for one in built)
    return PackagedForm(path, known, before)


def _put(tx: Writer, built: BuiltForm, actor: Actor) -> BuiltForm:
    """The same bytes are still where they were pushed; and where nothing is new, nothing happened."""
    version_of(tx, built.model, built.version)
    before = tx.get(FORMS, built.model, built.version, built.form.value)
    if before is not None and before.digest == built.digest and not built.pushed:
        built = replace(built, pushed=before.pushed)
    if before is not None and (before.digest, before.pushed) == (built.digest, built.pushed):
        return built
    tx.put(FORMS, built)
    tx.record(_happened(built, actor))
    return built


def _happened(built: BuiltForm, actor: Actor) -> Happened:
    told = {"form": built.form.value, "digest": built.digest, "file": built.file}
    details = {**told, "difference": built.difference, "pushed": built.pushed}
    who = actor.name, actor.authenticated
    subject = f"{built.model}/{built.version}"
    return Happened(Action.VERSION_PACKAGED, *who, built.at, subject, built.model, built.version, details)
