"""Virtual environments for packages that name their own libraries: each built once, and shared by all that name the same.

HOME/venvs/DIGITS is complete or not there: it is built under another name and renamed. It holds the pinned requirements, and
msgspec and numpy, which the host itself needs. lockgate is not installed there: PYTHONPATH names a folder with a link to it.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from asyncio.subprocess import DEVNULL, PIPE, STDOUT
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from tempfile import mkdtemp

from lockgate.boundary.libraries import check_pinned
from lockgate.kernel.digest import digest_json, digits
from lockgate.kernel.errors import Unavailable

_LONGEST_BUILD = 1200.0  # seconds
_LONGEST_LINE = 500
_NAME = 16  # digits
_QUIETLY = ("--quiet", "--no-input", "--disable-pip-version-check")


class Venvs:
    """environment: for pip, such as where its packages come from. base: what the host needs itself."""

    def __init__(self, folder: Path, environment: Mapping[str, str], base: Sequence[str] | None = None) -> None:
        self._folder = folder
        self._environment = dict(environment)
        self._base = tuple(base) if base is not None else (f"msgspec=={version('msgspec')}", "numpy")
        self._builds: dict[str, asyncio.Task[Path]] = {}

    async def python(self, requirements: Sequence[str]) -> Path:
        """The interpreter of the environment that has exactly these; it is built if need be, once for all who ask meanwhile.

        Raises:
            Invalid: a requirement is not pinned. Unavailable: it cannot be built; the reason is pip's own.
        """
        check_pinned(requirements)
        name = digits(digest_json([sys.version, sorted(requirements), self._base]))[:_NAME]
        python = self._folder / name / "bin" / "python"
        if python.exists():
            return python
        build = self._builds.get(name)
        if build is None:
            build = asyncio.get_running_loop().create_task(self._build(name, sorted(requirements)))
            self._builds[name] = build
            build.add_done_callback(lambda done: self._built(name, done))
        return await asyncio.shield(build)

    async def close(self) -> None:
        """Give up what is being built."""
        builds = list(self._builds.values())
        for build in builds:
            build.cancel()
        await asyncio.gather(*builds, return_exceptions=True)

    def sweep(self) -> None:
        """Remove what a server that was killed left half built. Only while nobody builds here."""
        for draft in self._folder.glob("*.*"):
            shutil.rmtree(draft, ignore_errors=True)

    def _built(self, name: str, build: asyncio.Task[Path]) -> None:
        del self._builds[name]
        if not build.cancelled():
            build.exception()  # it is raised where it is awaited; if nobody waits any more, nobody misses it

    async def _build(self, name: str, requirements: Sequence[str]) -> Path:
        place = self._folder / name
        self._folder.mkdir(parents=True, exist_ok=True)
        draft = Path(mkdtemp(prefix=f"{name}.", dir=self._folder))
        try:
            python = str(draft / "bin" / "python")
            if find_spec("pip") is not None:  # it installs elsewhere, too, and need not be installed there first
                await self._run(sys.executable, "-m", "venv", "--without-pip", str(draft))
                pip = [sys.executable, "-m", "pip", "--python", python]
            else:
                await self._run(sys.executable, "-m", "venv", str(draft))
                pip = [python, "-m", "pip"]
            await self._run(*pip, "install", *_QUIETLY, *requirements, *self._base)
            os.rename(draft, place)  # noqa: PTH104 - one call of the system, and no other
        except OSError as error:
            if not place.exists():  # else another process was first with the same
                raise Unavailable(f"the environment cannot be built: {error}") from error
        finally:
            shutil.rmtree(draft, ignore_errors=True)
        return place / "bin" / "python"

    async def _run(self, *argv: str) -> None:
        process = await asyncio.create_subprocess_exec(
            *argv, stdin=DEVNULL, stdout=PIPE, stderr=STDOUT, env=self._environment, start_new_session=True
        )
        try:
            async with asyncio.timeout(_LONGEST_BUILD):
                output, _ = await process.communicate()
        except TimeoutError:
            raise Unavailable(f"pip did not finish within {_LONGEST_BUILD:g} s") from None
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode:
            raise Unavailable(f"the environment cannot be built: {_last_line(output)}")


def _last_line(output: bytes) -> str:
    lines = [line.strip() for line in output.decode(errors="replace").splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR:")]
    return (errors or lines or ["it gave no reason"])[-1][:_LONGEST_LINE]
