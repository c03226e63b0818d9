"""The data form: one signed file, `MODEL-VERSION.lockgate`, that holds a version's package and its papers and nothing else.

What stands in it is `boundary.bundles`' to say, and how its bytes follow from that, `boundary.archives`'.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from lockgate.boundary import archives, bundles
from lockgate.boundary.archives import Content
from lockgate.boundary.trusted_types import TrustedTypes
from lockgate.domain.forms import Asked, Contents, Form
from lockgate.integrations.local.asked import asked_process, environment_for
from lockgate.integrations.local.durable import flush_folder
from lockgate.kernel.digest import digest_bytes, digest_file
from lockgate.kernel.errors import Invalid, Unavailable
from lockgate.ports.signer import Signer

_MODULE = "lockgate.client.ask"


@dataclass(frozen=True, slots=True)
class DataFormBuilder:
    """A ports.forms.FormBuilder. trusted: asked each time, what the policy trusts then. home: which no package may read.

    seconds: how long a package may take to load and to answer.
    """

    signer: Signer
    trusted: Callable[[], TrustedTypes] = TrustedTypes
    home: Path | None = None
    seconds: float = 120.0

    @property
    def form(self) -> Form:
        return Form.DATA

    def build(self, contents: Sequence[Contents], folder: Path) -> Path:
        if len(contents) != 1:
            raise Invalid(f"{len(contents)} versions found, and a data file holds one", hint="Make a file of each.")
        one = contents[0]
        members = bundles.members(one.release, one.manifest_bytes, one.files, one.papers)
        path = folder / f"{one.release.model}-{one.release.version}{bundles.SUFFIX}"
        try:
            members[bundles.SIGNATURE] = bundles.signature(_digests(members), one.release, self.signer)
            _write(path, members)
        except OSError as error:
            raise Unavailable(f"{path.name} cannot be made: {error.filename or folder}: {error.strerror}") from error
        return path

    def digest(self, file: Path) -> str:
        return digest_file(file)

    def ask(self, file: Path, contents: Contents) -> Asked:
        """In a fresh process that knows the file and our public key; libraries of the package's own are installed for it anew."""
        scores, seconds = ask_file(
            file,
            [self.signer.public_key],
            contents.manifest.requirements,
            trusted=self.trusted(),
            home=self.home,
            seconds=self.seconds,
        )
        return Asked(scores, seconds, "a process of its own that had the file and the public key")


def ask_file(
    file: Path,
    keys: Sequence[str],
    requirements: Sequence[str],
    *,
    trusted: TrustedTypes,
    home: Path | None = None,
    seconds: float = 120.0,
) -> tuple[tuple[float, ...], float]:
    """What the package in an archive answers to its golden rows, and the seconds from the start of its process to its end.

    keys: public ones, of which one must vouch for it. requirements: of the package. home: which it may not read.

    Raises:
        Invalid: it is not whole, not signed, or cannot answer.
    """
    with TemporaryDirectory(prefix="lockgate-asked-") as folder:
        question = {
            "file": str(file.resolve()),
            "keys": list(keys),
            "folder": folder,
            "seconds": seconds,
            "venvs": str(Path(folder) / "venvs"),
            "hidden": [str(home)] if home is not None else [],
        }
        environment = environment_for(trusted, installing=bool(requirements))
        began = time.monotonic()
        scores = asked_process(_MODULE, question, Path(folder), environment, seconds)
        return tuple(scores), time.monotonic() - began


def _digests(members: Mapping[str, Content]) -> dict[str, str]:
    return {name: digest_bytes(one) if isinstance(one, bytes) else digest_file(one) for name, one in members.items()}


def _write(path: Path, members: Mapping[str, Content]) -> None:
    """Whole or not there: written beside, flushed, and renamed."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with draft.open("wb") as file:
            archives.write(file, members)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    flush_folder(path.parent)
