"""Trivy, Grype and Clair, run on an image if they are on the PATH; each writes its own report."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from lockgate.boundary.withheld import for_others
from lockgate.kernel.errors import Invalid, Unavailable
from lockgate.stages.decide.scans.reports import LARGEST

TIME = 900.0  # seconds for each: it may fetch its database first
SERVER = "CLAIR_API"  # the variable that names the server of Clair, which clairctl asks
_HINT = "Install Trivy or Grype, or take in a report that was made elsewhere: lockgate scan MODEL VERSION --report FILE"


def _trivy(image: str, file: bool) -> list[str]:  # noqa: FBT001 - the second of two
    return ["trivy", "image", "--quiet", "--format", "json", *(["--input"] if file else []), image]


def _grype(image: str, file: bool) -> list[str]:  # noqa: FBT001 - the second of two
    return ["grype", "--quiet", "--output", "json", f"oci-archive:{image}" if file else f"registry:{image}"]


def _clair(image: str, file: bool) -> list[str] | None:  # noqa: FBT001 - the second of two
    """Its server fetches the image itself, so it must lie in a registry."""
    return None if file or not os.environ.get(SERVER) else ["clairctl", "report", "--out", "json", image]


_PROGRAMS: Mapping[str, Callable[[str, bool], list[str] | None]] = {"trivy": _trivy, "grype": _grype, "clairctl": _clair}


class ImageScanners:
    """A ports.vulnerabilities.ImageScanners."""

    def __init__(self, seconds: float = TIME) -> None:
        self._seconds = seconds

    def reports(self, image: str) -> tuple[bytes, ...]:
        if image.startswith("-"):
            raise Invalid(f"image {image!r:.100} found, a file or a reference such as registry.example/team/app:1 expected")
        path = Path(image)
        file = path.is_file()
        what = str(path.resolve()) if file else image
        runs = [words for name, of in _PROGRAMS.items() if shutil.which(name) and (words := of(what, file)) is not None]
        if not runs:
            raise Unavailable(f"no scanner of images is installed here that could look at {image}", hint=_HINT)
        return tuple(self._run(words) for words in runs)

    def _run(self, words: list[str]) -> bytes:
        with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
            try:
                done = subprocess.run(
                    words, check=False, env=for_others(os.environ), stdin=subprocess.DEVNULL, stdout=output, stderr=errors,
                    timeout=self._seconds,
                )  # fmt: skip
            except subprocess.TimeoutExpired:
                raise Unavailable(f"{words[0]} did not finish within {self._seconds:g} s", hint=_HINT) from None
            output.seek(0)
            content = output.read(LARGEST + 1)
            if done.returncode != 0 or not content:
                errors.seek(0)
                lines = errors.read(100_000).decode(errors="replace").strip().splitlines()
                why = lines[-1][:500] if lines else "it gave no reason"
                raise Unavailable(f"{words[0]} ended with {done.returncode}: {why}", hint=_HINT)
            return content
