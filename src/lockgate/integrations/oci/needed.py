"""The distributions that an image carries: for the data plane, and for the packages in it.

A package that names requirements of its own runs by exactly these, with what the process that runs it needs itself, in a folder
of its own: what `pip install --target` puts there, once, when the image is built; nothing is installed when it starts.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp

import msgspec

from lockgate.boundary.libraries import check_pinned, name_of
from lockgate.boundary.manifest import Manifest, decode
from lockgate.boundary.withheld import for_others
from lockgate.domain.distributions import Distribution
from lockgate.domain.forms import Contents
from lockgate.integrations.oci.installed import Installed, find, found_in
from lockgate.kernel.digest import digest_file
from lockgate.kernel.errors import Unavailable

Needs = Callable[[Manifest], Sequence[Distribution]]
"""What must be installed here to serve a package that has no requirements of its own."""

_NODES, _MANIFEST = "nodes/", "/manifest.json"
_NAMING = "sklearn"  # the runtime of skops files
_LONGEST = 1200.0  # seconds
_SHOWN = 500


def of_all(contents: Sequence[Contents], needs: Needs) -> list[Installed]:
    """What is installed here and goes into the image's own folder of libraries, by name.

    Raises:
        MissingExtra, Unavailable: some of it is not installed here, or cannot be copied.
    """
    manifests = [manifest for one in contents for manifest in _manifests(one)]
    wanted = {distribution for manifest in manifests for distribution in needs(_by_the_server(manifest))}
    return [find(one.name, one.version) for one in sorted(wanted)]


def names_types(contents: Sequence[Contents]) -> bool:
    """Whether a package among them is made of named types, of which whoever loads it must know which may be trusted."""
    return any(manifest.runtime == _NAMING for one in contents for manifest in _manifests(one))


def own_requirements(contents: Sequence[Contents]) -> list[tuple[str, ...]]:
    """Of the packages that have some, each once."""
    return sorted({tuple(sorted(one.manifest.requirements)) for one in contents if one.manifest.requirements})


def installed_apart(requirements: Sequence[str], cache: Path) -> list[Installed]:
    """All that these take. What was installed once lies in the cache: another Python's is another's.

    Raises:
        Invalid: one is not pinned. Unavailable: pip cannot install them, and its reason.
    """
    check_pinned(requirements)
    base = (f"msgspec=={version('msgspec')}", f"numpy=={version('numpy')}")
    own = {name.partition("==")[0].partition("[")[0].lower() for name in requirements}
    asked = [*requirements, *(one for one in base if one.partition("==")[0] not in own)]
    folder = cache / "libraries" / f"{name_of(asked)}-{sys.implementation.cache_tag}"
    if not folder.is_dir():
        _install(asked, folder)
    return found_in(folder)


def _install(asked: Sequence[str], folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(mkdtemp(prefix=f"{folder.name}.", dir=folder.parent))
    quietly = ("--quiet", "--no-input", "--disable-pip-version-check", "--no-compile")
    argv = [sys.executable, "-m", "pip", "install", *quietly, "--target", str(draft), *asked]
    try:
        done = subprocess.run(
            argv, capture_output=True, text=True, errors="replace", env=for_others(os.environ), timeout=_LONGEST, check=False
        )
        if done.returncode:
            raise Unavailable(f"the libraries of the package cannot be installed: {_last_line(done.stderr)}")
        if not folder.exists():  # another process may have been first
            draft.rename(folder)
    except subprocess.TimeoutExpired:
        raise Unavailable(f"pip did not finish within {_LONGEST:g} s") from None
    finally:
        rmtree(draft, ignore_errors=True)


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return ([line for line in lines if line.startswith("ERROR:")] or lines or ["it gave no reason"])[-1][:_SHOWN]


def _manifests(contents: Contents) -> Iterator[Manifest]:
    """The package's own, and those of the packages that a graph holds whole."""
    yield contents.manifest
    for name, path in contents.files.items():
        if contents.manifest.runtime == "graph" and name.startswith(_NODES) and name.endswith(_MANIFEST):
            yield decode(path.read_bytes(), digest_file(path))


def _by_the_server(manifest: Manifest) -> Manifest:
    """With requirements of its own it needs of the server's libraries what every package needs, and no runtime's."""
    return msgspec.structs.replace(manifest, runtime="python", requirements=()) if manifest.requirements else manifest
