"""Run an image in a container engine that speaks as Docker does: as a stranger would, with as little as it needs."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex

import msgspec

from lockgate.boundary.withheld import for_others
from lockgate.integrations.oci.archive import image_in
from lockgate.integrations.oci.documents import PORT, USER
from lockgate.integrations.oci.media import Manifest, decode
from lockgate.integrations.oci.questions import TRUST_CODE, Question, Reply, last, put
from lockgate.integrations.oci.reading import blob, opened
from lockgate.kernel.errors import Invalid, Unavailable

_PROGRAM = "docker"
_QUICK, _SLOW = 20.0, 600.0  # seconds: for a question, and for loading gigabytes
_MISSING = "The base image lacks that library: choose a fuller one with --base, or one of yours that has it."
_FENCES = (
    *("--read-only", "--tmpfs", "/tmp:rw,noexec,nosuid,mode=1777,size=256m", "--network", "none"),  # noqa: S108 - of its container
    *("--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--user", USER),
)


@dataclass(frozen=True, slots=True)
class Engine:
    """environment: which engine it is, such as DOCKER_HOST."""

    program: str
    version: str
    environment: Mapping[str, str]

    def __str__(self) -> str:
        return f"Docker {self.version}"

    def do(self, *words: str, patience: float = _SLOW) -> str:
        """What it writes.

        Raises:
            Unavailable: it cannot, and its own reason.
        """
        try:
            argv, environment = [self.program, *words], dict(self.environment)
            done = subprocess.run(argv, capture_output=True, timeout=patience, env=environment, check=False)
        except subprocess.TimeoutExpired:
            raise Unavailable(f"docker {words[0]} did not end within {patience:g} s") from None
        if done.returncode:
            raise Unavailable(f"docker {words[0]} failed: {last(done.stderr)}")
        return done.stdout.decode(errors="replace").strip()


def find(environment: Mapping[str, str]) -> Engine | None:
    """None if no client is on the PATH, or no engine answers it."""
    program = shutil.which(_PROGRAM, path=environment.get("PATH"))
    if program is None:
        return None
    asked = Engine(program, "", for_others(environment))
    try:
        return Engine(program, asked.do("version", "--format", "{{.Server.Version}}", patience=_QUICK), asked.environment)
    except Unavailable:
        return None


def run(engine: Engine, file: Path, question: Question) -> Reply:
    """Load, start, ask, and leave nothing behind.

    Raises:
        Invalid: it does not start or answer, and what it said. Unavailable: the engine does not do its part.
    """
    with _loaded(engine, file) as (image, python), _started(engine, image) as name:
        try:
            return put(msgspec.structs.replace(question, port=PORT), _inside(engine, name, python), engine.environment)
        except Invalid as error:
            said = _logs(engine, name)
            hint = _MISSING if "cannot open shared object file" in said else None
            raise Invalid(f"{error.message}\n{said}", hint=hint) from error


@contextmanager
def _loaded(engine: Engine, file: Path) -> Iterator[tuple[str, str]]:
    """The image's id, and its interpreter. One that was there before stays, and so do its names."""
    with opened(file) as files:
        manifest = decode(blob(files, image_in(files, file)[0].digest), Manifest, "the manifest of the image")
    image = manifest.config.digest
    known = _knows(engine, image)
    if not known:
        engine.do("load", "--quiet", "--input", str(file))
    try:
        words = engine.do("image", "inspect", "--format", "{{json .Config.Entrypoint}}", image)
        yield image, msgspec.json.decode(words, type=tuple[str, ...])[0]
    finally:
        if not known:
            engine.do("image", "rm", "--force", image)


def _knows(engine: Engine, image: str) -> bool:
    try:
        engine.do("image", "inspect", image, patience=_QUICK)
    except Unavailable:
        return False
    return True


@contextmanager
def _started(engine: Engine, image: str) -> Iterator[str]:
    name = f"lockgate-ask-{token_hex(6)}"
    try:
        trusting = ("--env", TRUST_CODE) if TRUST_CODE in engine.environment else ()
        engine.do("run", "--detach", "--name", name, "--no-healthcheck", *_FENCES, *trusting, image)
        yield name
    finally:
        _remove(engine, name)


def _remove(engine: Engine, name: str) -> None:
    try:
        engine.do("rm", "--force", "--volumes", name)
    except Unavailable as error:
        if "No such container" not in error.message:
            raise


def _inside(engine: Engine, name: str, python: str) -> Sequence[str]:
    return (engine.program, "exec", "--interactive", name, python)


def _logs(engine: Engine, name: str) -> str:
    """What the container said: on both of its outputs."""
    argv = [engine.program, "logs", "--tail", "20", name]
    with suppress(subprocess.TimeoutExpired):
        done = subprocess.run(argv, capture_output=True, timeout=_QUICK, env=dict(engine.environment), check=False)
        return last(done.stdout + done.stderr)
    return "what it said cannot be had"
