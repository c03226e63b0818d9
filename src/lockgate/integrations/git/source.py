"""Which commit a project's folder stands at, and the files of a commit, by the `git` command."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lockgate.kernel.errors import NotFound, Unavailable
from lockgate.ports.source import Checkout, Revision

_TIMEOUT = 120.0
_NO_REPOSITORY = Revision(commit=None, author=None, dirty=True)


@dataclass(frozen=True, slots=True)
class GitSource:
    """A ports.source.Source. `checkouts` is the home's folder for commits, one folder for each."""

    checkouts: Path

    def revision(self, folder: Path, besides: Sequence[str] = ()) -> Revision:
        """Where there is no git, no repository or no commit yet: no commit, dirty."""
        if shutil.which("git") is None or _git(folder, "rev-parse", "--is-inside-work-tree").returncode:
            return _NO_REPOSITORY
        head = _git(folder, "log", "-1", "--format=%H%n%an%n%ae", "HEAD")
        if head.returncode:
            return _NO_REPOSITORY
        commit, author, email = _told(head)
        excluded = [f":(exclude,glob){pattern}" for pattern in besides]
        status = _git(folder, "status", "--porcelain", "--untracked-files=normal", "--", ".", *excluded)
        return Revision(commit, author, dirty=bool(status.returncode or _text(status)), email=email)

    def checkout(self, folder: Path, ref: str) -> Checkout:
        if shutil.which("git") is None:
            raise NotFound("there is no git on the PATH, so no commit can be fetched", hint="Install git.")
        prefix = _git(folder, "rev-parse", "--show-prefix")
        if prefix.returncode:
            raise NotFound(f"{folder} lies in no git repository, so it has no commit {ref!r}", hint="Leave out --commit.")
        found = _git(folder, "log", "-1", "--format=%H%n%an%n%ae", "--end-of-options", f"{ref}^{{commit}}", "--")
        if found.returncode:
            raise NotFound(f"the repository of {folder} has no commit {ref!r}", hint="See git log, or git fetch first.")
        commit, author, email = _told(found)
        target = self.checkouts / commit
        if not target.is_dir():
            self._export(folder, commit, target)
        return Checkout(target / _text(prefix), commit, author, email)

    def _export(self, folder: Path, commit: str, target: Path) -> None:
        """All of the commit's files; the folder appears whole or not at all."""
        top = Path(_text(_git(folder, "rev-parse", "--show-toplevel")))
        archive = _git(top, "archive", "--format=tar", commit)
        if archive.returncode:
            raise Unavailable(f"git archive of {commit} failed: {archive.stderr.decode(errors='replace').strip()}")
        self.checkouts.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(dir=self.checkouts, prefix=".unfinished-"))
        try:
            with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as tar:
                tar.extractall(draft, filter="data")
            draft.rename(target)
        except OSError:
            if not target.is_dir():  # else another process was first; its folder holds the same
                raise
        finally:
            shutil.rmtree(draft, ignore_errors=True)


def _git(folder: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    """Without prompts, pagers and locks: looking must never disturb who works in the repository."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment |= {"GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    command = ["git", "-C", str(folder), *arguments]
    try:
        return subprocess.run(
            command, capture_output=True, stdin=subprocess.DEVNULL, env=environment, timeout=_TIMEOUT, check=False
        )
    except subprocess.TimeoutExpired:
        raise Unavailable(f"git {arguments[0]} gave no answer within {_TIMEOUT:g} s in {folder}") from None


def _told(done: subprocess.CompletedProcess[bytes]) -> tuple[str, str, str]:
    """Commit, author and the author's e-mail address, as `git log` was asked for them."""
    commit, author, email = (*_text(done).split("\n"), "", "")[:3]
    return commit, author, email


def _text(done: subprocess.CompletedProcess[bytes]) -> str:
    return done.stdout.decode(errors="replace").rstrip("\n")
