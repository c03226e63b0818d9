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
            output, errors, returncode = self._ask(msgspec.json.encode(question), Path(folder), self._environment(manifest))
        if returncode:
            raise Invalid(f"the model cannot answer: {self._died(returncode, errors)}", hint="Package the model anew.")
        answer = msgspec.json.decode(output, type=dict[str, Any])
        if "scores" not in answer:
            raise Invalid(f"the model cannot answer: {answer['error']}", hint=answer.get("hint") or "Package the model anew.")
        return [float(score) for score in answer["scores"]]

    def _environment(self, manifest: Manifest) -> dict[str, str]:
        passed = asked_environment(installing=bool(manifest.requirements))
        return passed | {VARIABLE: encode_types(self.trusted()).decode()}

    def _ask(self, question: bytes, folder: Path, environment: Mapping[str, str]) -> tuple[bytes, bytes, int]:
        """What it wrote, what it printed, and its exit code. Files and no pipes: what the model started may keep pipes open."""
        asked, said, printed = (folder / name for name in ("question", "answer", "log"))
        asked.write_bytes(question)
        words = [sys.executable, "-P", "-m", _MODULE]
        with asked.open("rb") as stdin, said.open("wb") as stdout, printed.open("wb") as stderr:
            process = subprocess.Popen(
                words, stdin=stdin, stdout=stdout, stderr=stderr, cwd=folder, env=environment, start_new_session=True
            )
        try:
            process.wait(self.seconds + _LONGEST_BUILD)
        except subprocess.TimeoutExpired:
            pass  # its own alarm comes first, unless building its environment hangs
        finally:  # it, and all that it started; also when we are interrupted
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            returncode = process.wait()
        return said.read_bytes(), printed.read_bytes(), returncode

    def _died(self, returncode: int, errors: bytes) -> str:
        if returncode == -signal.SIGALRM:
            return f"it took longer than {format_duration(self.seconds)}"
        how = f"was killed by {signal.Signals(-returncode).name}" if returncode < 0 else f"ended with exit code {returncode}"
        said = errors.decode(errors="replace").strip()[-_LAST_LINES:]
        return f"its process {how}{': ' + said if said else ''}"
