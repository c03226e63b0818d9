"""The contract of ports.forms.FormBuilder. Each check is given a builder, the contents of one version, and an empty folder."""

# ruff: noqa: S101 - these are tests, of implementations that are not ours to know

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from lockgate.boundary.releases import Release
from lockgate.domain.forms import Contents
from lockgate.kernel.errors import LockgateError
from lockgate.ports.forms import FormBuilder

Check = Callable[[FormBuilder, Contents, Path], None]


def the_same_contents_give_the_same_bytes(builder: FormBuilder, contents: Contents, folder: Path) -> None:
    first = builder.build([contents], _folder(folder / "first"))
    elsewhere = builder.build([_moved(contents, _folder(folder / "moved"))], _folder(folder / "second"))
    assert first.name == elsewhere.name
    assert first.read_bytes() == elsewhere.read_bytes()
    assert builder.digest(first) == builder.digest(elsewhere)


def another_release_has_another_digest(builder: FormBuilder, contents: Contents, folder: Path) -> None:
    first = builder.build([contents], _folder(folder / "first"))
    second = builder.build([_next(contents)], _folder(folder / "second"))
    assert first.name != second.name
    assert builder.digest(first) != builder.digest(second)


def nothing_but_the_file_is_left(builder: FormBuilder, contents: Contents, folder: Path) -> None:
    made = builder.build([contents], folder)
    assert [path.name for path in folder.iterdir()] == [made.name]


def what_cannot_be_built_is_not_there(builder: FormBuilder, contents: Contents, folder: Path) -> None:
    missing = dict.fromkeys(contents.files, folder / "gone")
    failed = True
    with suppress(OSError, LockgateError):
        builder.build([replace(contents, files=missing)], folder)
        failed = False
    assert failed
    assert not any(folder.iterdir())


def it_answers_the_golden_rows(builder: FormBuilder, contents: Contents, folder: Path) -> None:
    asked = builder.ask(builder.build([contents], folder), contents)
    golden = contents.manifest.golden
    assert len(asked.scores) == len(golden.scores)
    assert max(abs(one - other) for one, other in zip(asked.scores, golden.scores, strict=True)) <= golden.tolerance
    assert asked.cold_start > 0
    assert asked.environment


def _next(contents: Contents) -> Contents:
    """The same package and papers as the next version."""
    release = contents.release
    following = Release(release.model, release.version + 1, release.digest, release.provenance, release.sbom)
    return replace(contents, release=following)


def _folder(path: Path) -> Path:
    path.mkdir()
    return path


def _moved(contents: Contents, folder: Path) -> Contents:
    """The same files at other places, of other times, in another order."""
    files = {}
    for place, (name, path) in enumerate(reversed(contents.files.items())):
        files[name] = folder / str(place)
        files[name].write_bytes(path.read_bytes())
    return replace(contents, files=files, papers=dict(reversed(contents.papers.items())))


BUILD_CHECKS: tuple[Check, ...] = (
    the_same_contents_give_the_same_bytes,
    another_release_has_another_digest,
    nothing_but_the_file_is_left,
    what_cannot_be_built_is_not_there,
)
FORM_CHECKS: tuple[Check, ...] = (*BUILD_CHECKS, it_answers_the_golden_rows)  # the last one takes its time
