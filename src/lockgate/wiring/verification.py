"""What looks into each form here, and has it answer: from its file alone, with no home."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from lockgate.boundary.checked_archives import WHEEL, check_archive
from lockgate.boundary.checking import Checked
from lockgate.boundary.manifest import Manifest, encode
from lockgate.boundary.public_keys import KIND, PEM, understood
from lockgate.boundary.releases import Release
from lockgate.boundary.trust import Trust, TrustedKey, parse, together
from lockgate.boundary.trusted_types import TrustedTypes
from lockgate.domain.forms import Asked, Contents
from lockgate.integrations.local.data_form import ask_file
from lockgate.integrations.oci.asking import ask as ask_image
from lockgate.integrations.oci.checking import IMAGE, check_image
from lockgate.integrations.wheel.clean import Rooms
from lockgate.integrations.wheel.names import names_of
from lockgate.kernel.errors import Invalid, NotFound, Unavailable
from lockgate.stages.build.packaging.parity import Parity, verify

_MOST = 1 << 16  # bytes of a file with keys
_KEY = f"A key is {KIND}BASE64, as `lockgate key show` prints it; `lockgate key list` writes a file of them."
_ZIP = b"PK"  # how archives begin; anything else that is not cut may be an image


def check(path: Path, trust: Trust) -> Checked:
    """Whatever form it is.

    Raises:
        NotFound: there is no such file. Unavailable: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            archive = file.read(len(_ZIP)) == _ZIP or path.suffix != ".tar"
        return check_archive(path, trust) if archive else check_image(path, trust)
    except FileNotFoundError:
        raise NotFound(f"there is no file {path}") from None
    except OSError as error:
        raise Unavailable(f"{path} cannot be read: {error.strerror}") from error


def golden_rows(path: Path, checked: Checked, trust: Trust, trusted: TrustedTypes) -> list[tuple[Parity, Asked]]:
    """What each package in a form that holds answers to its golden rows, beside what the original answered.

    Raises:
        Invalid: it does not answer. Unavailable: there is nothing here to run it in.
    """
    pairs = [(one.release, one.manifest) for one in checked.packages if one.release and one.manifest]
    found = []
    for release, manifest in pairs:
        asked = _asked(path, checked.kind, release, manifest, [one.key for one in trust.keys if not one.revoked], trusted)
        found.append((verify(manifest.golden, asked.scores), asked))
    return found


def _asked(path: Path, kind: str, release: Release, manifest: Manifest, keys: Sequence[str], trusted: TrustedTypes) -> Asked:
    if kind == WHEEL:
        with TemporaryDirectory(prefix="lockgate-verify-") as cache:
            return Rooms(Path(cache)).ask(path, names_of(release).package)
    if kind == IMAGE:
        return ask_image(path, Contents(release, manifest, encode(manifest), {}, {}), os.environ)
    scores, seconds = ask_file(path, keys, manifest.requirements, trusted=trusted)
    return Asked(scores, seconds, "a process of its own that had the file and the public key")


def named_keys(said: Sequence[str]) -> Trust:
    """Each `ed25519:…`, or a file: keys as `lockgate.boundary.trust` reads them, or one public key as PEM.

    Raises:
        Invalid: it is no key, and no file with keys. InvalidInput: lines of a file are no keys.
    """
    return together(key for one in said for key in _keys(one))


def _keys(said: str) -> tuple[TrustedKey, ...]:
    path = Path(said)
    if not path.is_file():
        if not said.strip().startswith((KIND, PEM)):
            raise Invalid(f"{said!r:.200} found: there is no such file, and it is no public key", hint=_KEY)
        return (TrustedKey(understood(said)),)
    try:
        with path.open("rb") as file:
            text = file.read(_MOST).decode()
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid(f"{path}: no public keys can be read there: {error}") from error
    if text.lstrip().startswith(PEM):
        return (TrustedKey(understood(text), path.name),)
    keys = parse(text, str(path)).keys
    if not keys:
        raise Invalid(f"{path} names no key", hint=f"One key a line. {_KEY}")
    return keys
