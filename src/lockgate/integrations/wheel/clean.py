"""Ask a wheel where nothing is but the wheel and what it requires: an empty virtual environment, in a process of its own.

What the wheel requires is installed once, and kept in CACHE/DIGITS for all wheels that require the same: complete or not there,
since it is built under another name and renamed. The wheel itself is installed afresh each time, beside it.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from packaging.requirements import Requirement

from lockgate.boundary.archives import reading
from lockgate.boundary.quiet import quieted
from lockgate.boundary.wheels import DIST_INFO
from lockgate.domain.forms import Asked
from lockgate.integrations.wheel.metadata import required
from lockgate.kernel.clock import Clock, SystemClock
from lockgate.kernel.digest import digest_json, digits
from lockgate.kernel.errors import Invalid, Unavailable

_NAME = 16  # digits
_DRAFT = "draft"
_LONGEST_BUILD = 1800.0  # seconds
_LONGEST_ANSWER = 300.0
_LONGEST_LINE = 500
_QUIETLY = ("--quiet", "--no-input", "--disable-pip-version-check")
# Whatever else stands in our environment may be a secret. The second are for pip: its address may hold a password.
_PASSED = ("PATH", "HOME", "LANG", "TZ", "TMPDIR", "LD_LIBRARY_PATH")
_INSTALLING = ("SSL_CERT_FILE", "http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
_QUESTION = """
import importlib, json, sys, time
from importlib.metadata import version
asked = importlib.import_module(sys.argv[1])
asked.predict(asked.model().example)
at = time.monotonic()
scores = asked.model().golden().tolist()
print(json.dumps({"at": at, "scores": scores, "libraries": {name: version(name) for name in sys.argv[2:]}}))
"""


class Rooms:
    """clock: of durations; its time must be that of all processes here, as a monotonic clock's is."""

    def __init__(self, cache: Path, clock: Clock | None = None) -> None:
        self._cache = cache
        self._clock = clock or SystemClock()

    def ask(self, wheel: Path, package: str) -> Asked:
        """What it answers to its golden rows. package: the name that it is imported by.

        Raises:
            Invalid: it does not answer. Unavailable: there is no environment to be had; the reason is pip's own.
        """
        requirements = _required(wheel)
        libraries = self._libraries(requirements)
        with TemporaryDirectory(prefix="lockgate-wheel-") as folder:
            room = Path(folder) / "venv"
            _made(room)
            _pip(room, "--no-deps", "--no-index", str(wheel.resolve()))
            (_site(room) / "required.pth").write_text(f"{_site(libraries)}\n")
            return self._asked(room, package, [Requirement(one).name for one in requirements], Path(folder))

    def _asked(self, room: Path, package: str, libraries: Sequence[str], folder: Path) -> Asked:
        words = [str(_python(room)), "-I", "-c", _QUESTION, package, *libraries]
        born = self._clock.monotonic()
        told: dict[str, Any] = json.loads(_output(words, folder))
        listed = ", ".join(f"{name} {version}" for name, version in told["libraries"].items())
        python = ".".join(map(str, sys.version_info[:3]))
        return Asked(tuple(told["scores"]), told["at"] - born, f"an empty virtual environment: Python {python}, {listed}")

    def _libraries(self, requirements: Sequence[str]) -> Path:
        name = digits(digest_json([sys.version, sorted(requirements)]))[:_NAME]
        place = self._cache / name
        try:
            self._cache.mkdir(parents=True, exist_ok=True)
            with _alone(self._cache):
                if not place.exists():
                    self._build(place, requirements)
        except OSError as error:
            raise Unavailable(f"the environment cannot be built in {self._cache}: {error.strerror or error}") from error
        return place

    def _build(self, place: Path, requirements: Sequence[str]) -> None:
        """With whatever processes left behind that were killed here removed."""
        for left in self._cache.glob(f"*.{_DRAFT}"):
            shutil.rmtree(left, ignore_errors=True)
        draft = place.with_name(f"{place.name}.{_DRAFT}")
        try:
            _made(draft)
            _pip(draft, *requirements)
            draft.replace(place)
        finally:
            shutil.rmtree(draft, ignore_errors=True)


@contextmanager
def _alone(cache: Path) -> Iterator[None]:
    """One at a time builds here: who waits finds what it needs, or builds it then. The lock ends with its process."""
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _made(room: Path) -> None:
    """An environment without pip, if there is one here that installs elsewhere."""
    without = ("--without-pip",) if find_spec("pip") is not None else ()
    _run([sys.executable, "-m", "venv", *without, str(room)], "the environment cannot be built")


def _pip(room: Path, *wanted: str) -> None:
    python = str(_python(room))
    pip = [sys.executable, "-m", "pip", "--python", python] if find_spec("pip") is not None else [python, "-m", "pip"]
    _run([*pip, "install", *_QUIETLY, *wanted], "what the wheel requires cannot be installed")


def _run(words: Sequence[str], what: str) -> None:
    try:
        done = subprocess.run(
            words,
            env=_environment(installing=True),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_LONGEST_BUILD,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Unavailable(f"{what}: it took longer than {_LONGEST_BUILD:g} s") from None
    if done.returncode:
        raise Unavailable(
            f"{what}: {_last_line(done.stdout)}", hint="pip takes them from where its configuration, or PIP_* variables, say."
        )


def _output(words: Sequence[str], folder: Path) -> bytes:
    """Files and no pipes: what a model started may keep pipes open."""
    said, printed = folder / "said", folder / "printed"
    with said.open("wb") as stdout, printed.open("wb") as stderr:
        process = subprocess.Popen(
            words,
            env=_environment(installing=False),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
        )
    try:
        returncode = process.wait(_LONGEST_ANSWER)
    except subprocess.TimeoutExpired:
        raise Invalid(f"the wheel did not answer within {_LONGEST_ANSWER:g} s") from None
    finally:  # it, and all that it started
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    if returncode:
        raise Invalid(f"the wheel does not answer: {_last_line(printed.read_bytes())}")
    return said.read_bytes().splitlines()[-1]  # a model's libraries may print before


def _environment(*, installing: bool) -> dict[str, str]:
    passed = (*_PASSED, *_INSTALLING) if installing else _PASSED
    kinds = ("LC_", "PIP_") if installing else ("LC_",)
    return quieted({name: value for name, value in os.environ.items() if name in passed or name.startswith(kinds)})


def _required(wheel: Path) -> list[str]:
    with reading(wheel) as archive:
        found = [name for name in archive.namelist() if name.endswith(f"{DIST_INFO}/METADATA")]
        if len(found) != 1:
            raise Invalid(f"{wheel.name}: {len(found)} METADATA found, one expected: it is no wheel")
        return required(archive.read(found[0]))


def _python(room: Path) -> Path:
    return room / "bin" / "python"


def _site(room: Path) -> Path:
    base = str(room)
    return Path(sysconfig.get_path("purelib", "venv", vars={"base": base, "platbase": base, "installed_base": base}))


def _last_line(output: bytes) -> str:
    lines = [line.strip() for line in output.decode(errors="replace").splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR:")]
    return (errors or lines or ["it gave no reason"])[-1][:_LONGEST_LINE]
