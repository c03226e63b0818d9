"""Commits of a real repository: which one a folder stands at, whether it was changed since, and what it held."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from lockgate.domain.runs import RunStatus
from lockgate.integrations.git.source import GitSource
from lockgate.kernel.errors import NotFound
from tests.integration.build.tiny_project import Place

pytestmark = pytest.mark.integration


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "init.defaultBranch=main"]
    done = subprocess.run(["git", "-C", str(folder), *identity, *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def commit_all(folder: Path, message: str = "as it stands") -> str:
    if not (folder / ".git").exists():
        git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", message)
    return git(folder, "rev-parse", "HEAD")


def test_a_folder_outside_of_any_repository_is_dirty_and_has_no_commit(place: Place) -> None:
    run = place.run()

    assert (run.commit, run.dirty, run.author) == (None, True, "anna")
    with pytest.raises(NotFound, match="lies in no git repository"):
        place.run(commit="main")


def test_a_committed_project_is_clean_and_its_author_is_the_commits(place: Place) -> None:
    commit = commit_all(place.folder)

    run = place.run()

    assert (run.commit, run.dirty, run.author) == (commit, False, "Ada")


@pytest.mark.parametrize("file", ["pipeline.py", "new_module.py"])
def test_a_change_makes_it_dirty_but_data_does_not(place: Place, file: str) -> None:
    commit_all(place.folder)
    source = place.build.source
    place.write("data/rows-9.csv", "value\n7\n")
    assert not source.revision(place.folder, ["data/rows-*.csv"]).dirty
    assert source.revision(place.folder).dirty

    place.write(file, "changed = True")

    assert source.revision(place.folder, ["data/rows-*.csv"]).dirty


def test_a_repository_without_a_commit_has_none(place: Place) -> None:
    git(place.folder, "init", "-q")

    assert place.build.source.revision(place.folder).commit is None


def test_a_commit_is_built_as_it_was_with_the_data_that_is_here(place: Place) -> None:
    old = commit_all(place.folder)
    git(place.folder, "rm", "-q", "--cached", "data/rows-1.csv", "data/rows-2.csv")
    place.write("pipeline.py", "def model(): ...")
    commit_all(place.folder, "broken")

    run = place.run(commit=old[:10])

    assert (run.status, run.commit, run.dirty) == (RunStatus.REGISTERED, old, False)
    assert place.run(commit="HEAD~1").commit == old
    assert [path.name for path in place.home.checkouts.iterdir() if path.is_dir()] == [old]


def test_a_project_in_a_folder_of_a_repository_is_found_in_its_checkout(place: Place) -> None:
    commit_all(place.folder.parent / "project")
    (place.folder.parent / "project" / ".git").rename(place.folder.parent / ".git")
    (place.folder.parent / ".gitignore").write_text("home/\n")
    commit_all(place.folder.parent)

    checkout = place.build.source.checkout(place.folder, "HEAD")

    assert (checkout.folder / "pipeline.py").is_file()
    assert checkout.folder.name == "project"


@pytest.mark.parametrize("ref", ["no-such-branch", "--output=/tmp/x", "HEAD; true", ""])
def test_a_commit_that_is_not_there_is_not_found(place: Place, ref: str) -> None:
    commit_all(place.folder)

    with pytest.raises(NotFound, match="has no commit"):
        GitSource(place.home.checkouts).checkout(place.folder, ref)
