"""A data plane without a control plane: packages that were given by name, in a folder that is thrown away.

What a control plane would have laid down stands in that folder: artifacts, a table with one route for each model, secrets. The
rest of the data plane is what it is anywhere.
"""

from __future__ import annotations

import argparse
import logging
import secrets
from collections import Counter
from collections.abc import Iterator, MutableMapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from lockgate.boundary import trust as trusted
from lockgate.boundary import trusted_types
from lockgate.boundary.exposure import is_loopback
from lockgate.boundary.folder import Scratch
from lockgate.boundary.routes import Arm, Revision, Role, Route, RouteTable
from lockgate.boundary.trust import Trust
from lockgate.boundary.trusted_types import TrustedTypes, check_types
from lockgate.boundary.unpacking import Unpacked, unpack_all
from lockgate.kernel.digest import short
from lockgate.kernel.errors import Invalid, Refused, Unavailable

CONTROL = "http://127.0.0.1:7070"  # of a home
_OF_A_HOME = ("home", "artifacts", "secrets", "control", "control_ca")
_OF_PACKAGES = ("trusted_keys", "key", "unsigned", "keys", "records", "trusted_type")
_PREFIX = "lockgate-serve-"
_TOKEN = 32  # bytes

log = logging.getLogger(__name__)


def add_options(asked: argparse.ArgumentParser) -> None:
    group = asked.add_argument_group("without a control plane")
    group.add_argument(
        "--package",
        type=Path,
        action="append",
        metavar="PATH",
        help="serve this package, a folder or a file of `lockgate package` (an image: all in it); again for one of another model",
    )
    group.add_argument("--trusted-keys", type=Path, metavar="FILE", help="packages must be signed by one of these keys")
    group.add_argument("--key", action="append", metavar="ed25519:…", help="or by this one; again for one more")
    group.add_argument(
        "--trusted-type",
        action="append",
        metavar="CLASS",
        help="packages may be made of this class too; again for more",
    )
    group.add_argument("--unsigned", action="store_true", help="beyond this machine too, nobody need have signed them")
    group.add_argument("--keys", type=Path, metavar="FILE", help="who may ask: a file of `lockgate token create`")
    group.add_argument("--records", type=Path, metavar="DIR", help="keep prediction records there (default: nowhere)")


@contextmanager
def prepared(given: MutableMapping[str, Any]) -> Iterator[None]:
    """Make of the options what Settings takes: those of a home as they are, or those of packages laid down in a folder.

    Raises:
        Invalid: options that do not go together, or no package. Others: see boundary.unpacking.unpack.
    """
    paths = given.pop("package")
    _check_options(given, paths)
    own = {name: given.pop(name) for name in _OF_PACKAGES}
    if not paths:
        given["control"] = given["control"] or CONTROL
        yield
        return
    trust = _trust(own, given["host"])
    if not (is_loopback(given["host"]) or given["public"] or own["keys"]):
        hint = "Give --keys FILE, or say --public if anybody may ask for predictions."
        raise Refused(f"other machines can reach {given['host']}, and nobody said who may ask", hint=hint)
    with _folder() as folder:
        given.update(_laid_down(folder, paths, trust, own))
        if trust is None:
            log.warning("nobody vouches for these packages: no keys were given to check their signatures with")
        yield


def _check_options(given: MutableMapping[str, Any], paths: Sequence[Path] | None) -> None:
    """Raises Invalid if something of one kind was given for the other."""
    wrong = [name for name in (_OF_A_HOME if paths else _OF_PACKAGES) if given[name]]
    if wrong:
        option = "--" + wrong[0].replace("_", "-")
        raise Invalid(f"{option} found {'beside' if paths else 'without'} --package", hint="Leave it out, or see --help.")
    missing = [f"--{name}" for name in ("home", "artifacts", "secrets") if not given[name]]
    if missing and not paths:
        raise Invalid(f"{', '.join(missing)} expected; or --package, to serve a package without a control plane")


def _trust(own: MutableMapping[str, Any], host: str) -> Trust | None:
    """Whose signatures count; None where nobody's are asked for."""
    told = trusted.read(own["trusted_keys"]).keys if own["trusted_keys"] else ()
    more = trusted.trusting(own["key"] or ()).keys
    if told or more or own["trusted_keys"]:
        if not (told or more):
            raise Invalid(f"{own['trusted_keys']} names no key", hint="One key a line: `ed25519:BASE64 NAME`.")
        return trusted.together((*told, *more))
    if not own["unsigned"] and not is_loopback(host):
        raise Refused(
            f"other machines can reach {host}, and nobody vouches for what is served there",
            hint="Give --key with the public key of who signed it, or say --unsigned.",
        )
    return None


@contextmanager
def _folder() -> Iterator[Path]:
    try:
        scratch = Scratch(_PREFIX)
    except OSError as error:
        raise Unavailable(
            f"there is no place to write: {error.strerror}", hint="Let /tmp be written, or set TMPDIR to a folder that may."
        ) from error
    try:
        yield scratch.path
    finally:
        scratch.close()


def _laid_down(folder: Path, paths: Sequence[Path], trust: Trust | None, own: MutableMapping[str, Any]) -> dict[str, Any]:
    artifacts, home = folder / "artifacts", folder / "home"
    taken = [one for path in paths for one in _taken(path, artifacts, trust)]
    models = Counter(one.release.model for one in taken)
    if twice := [model for model, number in models.items() if number > 1]:
        raise Invalid(f"two packages of {twice[0]} found, one of each model expected")
    home.mkdir(mode=0o700)
    (home / "routes.json").write_bytes(msgspec.json.encode(_table(taken)))
    trusted.lay_down(home, trust)
    trusted_types.lay_down(home, TrustedTypes("command line", check_types(own["trusted_type"] or ())))
    _make_secrets(folder / "secrets")
    if own["records"]:
        own["records"].mkdir(parents=True, exist_ok=True)
        (home / "records").symlink_to(own["records"].resolve())
    return {
        "home": home,
        "artifacts": artifacts,
        "secrets": folder / "secrets",
        "packages": tuple(one.folder for one in taken if one.folder is not None),
        "keys": own["keys"],
        "records": own["records"] is not None,
    }


def _taken(path: Path, artifacts: Path, trust: Trust | None) -> list[Unpacked]:
    found = unpack_all(path, artifacts, trust)
    for one in found:
        release, signer = one.release, one.signer
        facts = {"model": release.model, "version": release.version, "package": short(release.digest)}
        log.info("package taken", extra=facts | {"signed_by": (signer.name or signer.key) if signer else None})
    return found


def _table(taken: Sequence[Unpacked]) -> RouteTable:
    """One route for each model, with one arm."""
    releases = [one.release for one in taken]
    arms = [Arm(one.version, one.digest, Role.CHAMPION, 1.0, one.provenance) for one in releases]
    return RouteTable(Revision(0, 1), tuple(Route(one.model, (arm,)) for one, arm in zip(releases, arms, strict=True)))


def _make_secrets(folder: Path) -> None:
    """What signs prediction ids lives as long as the server: nobody takes labels for them."""
    folder.mkdir(mode=0o700)
    (folder / "prediction.key").write_bytes(secrets.token_bytes(_TOKEN))
    (folder / "control.token").write_text(secrets.token_urlsafe(_TOKEN))
