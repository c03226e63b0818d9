"""Packages that are not ONNX, asked in a process of the data plane: it has the runtimes, and nothing here may import it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec

from lockgate.boundary.manifest import Manifest, encode
from lockgate.boundary.trusted_types import VARIABLE, TrustedTypes
from lockgate.boundary.trusted_types import encode as encode_types
from lockgate.integrations.local.artifacts import LocalArtifacts
from lockgate.integrations.local.environment import asked_environment
from lockgate.kernel.errors import Invalid
from lockgate.kernel.quantities import format_duration

_MODULE = "lockgate.serving.isolation.ask"
_LONGEST_BUILD = 1800.0  # seconds that an environment of the package's own may take to be built
_LAST_LINES = 300  # characters of what a process that died had to say


@dataclass(frozen=True, slots=True)
class AskedRuntime:
    """A ports.runtimes.Runtime. name: of a runtime that the data plane has. venvs: a folder for environments of packages.

    seconds: how long a package may take to load and to answer. trusted: asked each time, what the policy trusts then.
    home: which no package may read.
    """

    name: str
    venvs: Path
    seconds: float = 120.0
    trusted: Callable[[], TrustedTypes] = TrustedTypes
    home: Path | None = None

    def scores(self, manifest: Manifest, files: Mapping[str, bytes], columns: Mapping[str, Sequence[Any]]) -> Sequence[float]:
        with TemporaryDirectory(prefix="lockgate-asked-") as folder:
            store = LocalArtifacts(Path(folder))
            for content in files.values():
                store.put(content)
            question = {
                "artifacts": folder,
                "digest": store.put(encode(manifest)),
                "columns": {name: list(values) for name, values in columns.items()},
                "seconds": self.seconds,
                "venvs": str(self.venvs),
                "hidden": [str(self.home)] if self.home is not None else [],
            }
            environment = environment_for(self.trusted(), installing=bool(manifest.requirements))
            return asked_process(_MODULE, question, Path(folder), environment, self.seconds)


def environment_for(trusted: TrustedTypes, *, installing: bool) -> dict[str, str]:
    """installing: libraries of the package's own, first."""
    return asked_environment(installing=installing) | {VARIABLE: encode_types(trusted).decode()}


def asked_process(
    module: str, question: Mapping[str, Any], folder: Path, environment: Mapping[str, str], seconds: float
) -> list[float]:
    """The scores that a process of the data plane gives to a question. folder: its working folder, which may be written to.

    seconds: how long the package may take, which the process sees to itself.

    Raises:
        Invalid: it gives none.
    """
    output, errors, returncode = _ask(module, msgspec.json.encode(question), folder, environment, seconds)
    if returncode:
        raise Invalid(f"the model cannot answer: {_died(returncode, errors, seconds)}", hint="Package the model anew.")
    answer = msgspec.json.decode(output, type=dict[str, Any])
    if "scores" not in answer:
        raise Invalid(f"the model cannot answer: {answer['error']}", hint=answer.get("hint") or "Package the model anew.")
    return [float(score) for score in answer["scores"]]


def _ask(module: str, question: bytes, folder: Path, environment: Mapping[str, str], seconds: float) -> tuple[bytes, bytes, int]:
    """What it wrote, what it printed, and its exit code. Files and no pipes: what the model started may keep pipes open."""
    asked, said, printed = (folder / name for name in ("question", "answer", "log"))
    asked.write_bytes(question)
    words = [sys.executable, "-P", "-m", module]
    with asked.open("rb") as stdin, said.open("wb") as stdout, printed.open("wb") as stderr:
        process = subprocess.Popen(
            words, stdin=stdin, stdout=stdout, stderr=stderr, cwd=folder, env=environment, start_new_session=True
        )
    try:
        process.wait(seconds + _LONGEST_BUILD)
    except subprocess.TimeoutExpired:
        pass  # its own alarm comes first, unless building its environment hangs
    finally:  # it, and all that it started; also when we are interrupted
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        returncode = process.wait()
    return said.read_bytes(), printed.read_bytes(), returncode


def _died(returncode: int, errors: bytes, seconds: float) -> str:
    if returncode == -signal.SIGALRM:
        return f"it took longer than {format_duration(seconds)}"
    how = f"was killed by {signal.Signals(-returncode).name}" if returncode < 0 else f"ended with exit code {returncode}"
    said = errors.decode(errors="replace").strip()[-_LAST_LINES:]
    return f"its process {how}{': ' + said if said else ''}"
