"""Ask a packaged model from its file alone: open it, verify it, and have it answer, as a program does that has nothing else.

    python -m lockgate.client.ask < QUESTION > ANSWER     (a Question as JSON; the Answer of lockgate.serving.isolation.ask)

The model answers in the confined process that a pipeline asks packages in, which this process becomes once the file is verified.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from tempfile import TemporaryFile
from typing import NoReturn

import msgspec

from lockgate.boundary.manifest import Manifest
from lockgate.boundary.trust import trusting
from lockgate.boundary.unpacking import unpack
from lockgate.kernel.errors import LockgateError

_ASKED = "lockgate.serving.isolation.ask"


class Question(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """file: a form that is an archive. keys: public ones, of which one must have signed it. folder: empty; what the file holds is
    laid down there. The rest is as in lockgate.serving.isolation.ask; the golden rows are asked.
    """

    file: str
    keys: list[str]
    folder: str
    seconds: float
    venvs: str
    hidden: list[str] = []


def main() -> None:
    question = msgspec.json.decode(sys.stdin.buffer.read(), type=Question)
    try:
        artifacts = Path(question.folder) / "artifacts"
        unpacked = unpack(Path(question.file), artifacts, trusting(question.keys))
    except LockgateError as error:
        sys.stdout.buffer.write(msgspec.json.encode({"error": error.message, "hint": error.hint}))
    else:
        _become(question, artifacts, unpacked.release.digest, unpacked.manifest)


def _become(question: Question, artifacts: Path, digest: str, manifest: Manifest) -> NoReturn:
    columns = manifest.golden.inputs
    asked = {"artifacts": str(artifacts), "digest": digest, "columns": columns, "seconds": question.seconds}
    asked |= {"venvs": question.venvs, "hidden": question.hidden}
    with TemporaryFile() as again:
        again.write(msgspec.json.encode(asked))
        again.seek(0)
        os.dup2(again.fileno(), 0)
        os.execv(sys.executable, [sys.executable, "-P", "-m", _ASKED])  # noqa: S606 - no shell


if __name__ == "__main__":
    main()
