"""Ask a package once, where no gateway runs: what a pipeline does to check what it made, and what the champion would have said.

    python -m lockgate.serving.isolation.ask < QUESTION > ANSWER          (a Question and an Answer as JSON)

A model may crash, hang or print, so it gets a process to itself, an alarm that ends it, and no way to our standard output. A
package with requirements is asked in an environment of its own, which is built first if need be; that time is not counted.

What is imported here may need msgspec, numpy and nothing else, as in a host.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryFile, mkdtemp
from typing import Any, NoReturn

import msgspec

from lockgate.boundary.manifest import Manifest
from lockgate.embedded.scores import Scorer
from lockgate.kernel.errors import LockgateError
from lockgate.kernel.release import PACKAGE
from lockgate.runtimes.failures import first_line
from lockgate.runtimes.frames import feeds_of
from lockgate.runtimes.package import read
from lockgate.runtimes.registry import RUNTIMES, load_model
from lockgate.serving.isolation import memory
from lockgate.serving.isolation.loading import manifest_of
from lockgate.serving.isolation.sandbox import Fences, confine
from lockgate.serving.isolation.venvs import Venvs

_INSIDE = "LOCKGATE_ASK_INSIDE"  # set where the environment is the package's own already


class Question(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """artifacts: folder. digest: of the package's manifest. columns: values of each input, laid flat; null is a missing number.

    seconds: how long loading and answering may take. venvs: folder for environments of packages. hidden: folders that the package
    may not read.
    """

    artifacts: str
    digest: str
    columns: dict[str, list[Any]]
    seconds: float
    venvs: str
    hidden: list[str] = []


class Answer(msgspec.Struct, frozen=True, omit_defaults=True):
    """Either the score of each row, or what went wrong."""

    scores: list[float] | None = None
    error: str | None = None
    hint: str | None = None


def answer(question: Question) -> Answer:
    """What the package says; never raises."""
    try:
        manifest, files = read(Path(question.artifacts), question.digest)
        feeds = feeds_of(manifest.signature, question.columns)
        rows = len(next(iter(feeds.values())))
        outputs = load_model(manifest, files).run(feeds)
        return Answer(Scorer(manifest.signature).scores(outputs, rows))
    except LockgateError as error:
        return Answer(error=error.message, hint=error.hint)
    except Exception as error:  # noqa: BLE001 - a package may raise anything
        return Answer(error=f"{type(error).__name__}: {first_line(error)}")


def main() -> None:
    content, out = sys.stdin.buffer.read(), _own_output()
    question = msgspec.json.decode(content, type=Question)
    try:
        manifest = manifest_of(Path(question.artifacts), question.digest)
        if manifest.requirements and _INSIDE not in os.environ:
            _go_inside(Path(question.venvs), manifest.requirements, content, out)
    except LockgateError as error:
        said = Answer(error=error.message, hint=error.hint)
    else:
        signal.setitimer(signal.ITIMER_REAL, question.seconds)  # SIGALRM ends the process, also inside a library
        _confine(question, manifest)
        said = answer(question)
    with os.fdopen(out, "wb") as file:
        file.write(msgspec.json.encode(said))


def _confine(question: Question, manifest: Manifest) -> None:
    """As a host is: no network, no more memory than is free, nothing but what the package needs. What it writes goes with the
    folder of the artifacts, which who asks throws away.
    """
    own = Path(mkdtemp(prefix="own-", dir=question.artifacts))
    if (free := memory.allowance()) is not None:
        memory.limit(free)
    hidden = tuple(map(Path, question.hidden))
    seconds = question.seconds * (os.cpu_count() or 1)
    runtime = RUNTIMES.get(manifest.runtime)
    processes = runtime is not None and runtime.code
    missing = confine(Fences(Path(question.artifacts), own, (), hidden, processes, seconds))
    if missing:
        sys.stderr.write(f"warning: the sandbox of {manifest.model} is incomplete: {'; '.join(missing)}\n")


def _own_output() -> int:
    """Our standard output, out of a model's way: what it prints goes to standard error."""
    out = os.dup(1)
    os.dup2(2, 1)
    return out


def _go_inside(venvs: Path, requirements: Sequence[str], content: bytes, out: int) -> NoReturn:
    """Become the same program under the interpreter of the package's environment; lockgate itself is found by a link."""
    python = asyncio.run(Venvs(venvs, os.environ).python(requirements))
    source = venvs / "source"
    _link(source / "lockgate", PACKAGE)
    with TemporaryFile() as again:
        again.write(content)
        again.seek(0)
        os.dup2(again.fileno(), 0)
        os.dup2(out, 1)
        passed = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
        environment = {**passed, "PYTHONPATH": str(source), _INSIDE: "1"}
        os.execve(python, [str(python), "-m", "lockgate.serving.isolation.ask"], environment)  # noqa: S606 - no shell


def _link(link: Path, target: Path) -> None:
    """At once and whole: others may be asking too."""
    if not (link.is_symlink() and link.readlink() == target):
        link.parent.mkdir(exist_ok=True)
        draft = link.with_name(f"{link.name}.{os.getpid()}")
        draft.symlink_to(target)
        draft.replace(link)


if __name__ == "__main__":
    main()
