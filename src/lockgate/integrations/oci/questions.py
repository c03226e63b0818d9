"""What is put to a data plane that was started from an image, and what comes back: through `asker`, which runs where it runs."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from lockgate.kernel.errors import Invalid

TRUST_CODE = "LOCKGATE_TRUST_CODE"  # the platform's word, which no image carries: whoever runs one gives it
PATIENCE = 300.0  # seconds for a data plane to be ready: several models are loaded one after the other
_MORE = 60.0  # seconds for the answer, and for an engine to begin
_SHOWN = 500
_ASKER = Path(__file__).with_name("asker.py")


class Question(msgspec.Struct, frozen=True):
    """path: of the data plane. body: JSON. port: on its own loopback."""

    path: str
    body: str
    port: int = 0
    patience: float = PATIENCE


class Reply(msgspec.Struct, frozen=True):
    """seconds: since process 1 was started, which is the data plane in a container."""

    status: int
    body: str
    seconds: float | None = None


def put(question: Question, python: Sequence[str], environment: Mapping[str, str]) -> Reply:
    """python: the words that start an interpreter where the data plane runs.

    Raises:
        Invalid: it was not ready in time, or has ended.
    """
    argv = [*python, "-I", "-S", "-c", _ASKER.read_text()]
    line = msgspec.json.encode(question) + b"\n"
    try:
        done = subprocess.run(argv, input=line, capture_output=True, timeout=PATIENCE + _MORE, env=dict(environment), check=False)
    except subprocess.TimeoutExpired:
        raise Invalid(f"the image was not ready within {PATIENCE:g} s") from None
    if done.returncode:
        raise Invalid(f"the image does not answer: {last(done.stderr)}")
    try:
        return msgspec.json.decode(done.stdout, type=Reply)
    except msgspec.DecodeError as error:
        raise Invalid(f"nothing that could be understood came from the image: {last(done.stdout)}") from error


def last(output: bytes) -> str:
    """What a process said last, for people."""
    return output.decode(errors="replace").strip()[-_SHOWN:] or "it ended without a word"
