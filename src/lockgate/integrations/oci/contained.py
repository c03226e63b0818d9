"""Where things lie in an image, and what goes there: libraries, lockgate itself, the models."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from lockgate.boundary import bundles, images, libraries, trust
from lockgate.boundary.releases import check_provenance
from lockgate.boundary.trusted_types import NONE, TrustedTypes
from lockgate.domain.forms import Contents
from lockgate.integrations.oci import installed, needed
from lockgate.integrations.oci.bytecode import with_bytecode
from lockgate.integrations.oci.installed import Installed
from lockgate.integrations.oci.layers import Member, Members
from lockgate.integrations.oci.needed import Needs
from lockgate.kernel.digest import digest_bytes, digest_file, digest_json
from lockgate.kernel.errors import Invalid, Refused
from lockgate.kernel.release import PACKAGE
from lockgate.ports.signer import Signer

Trusted = Callable[[], TrustedTypes]
"""What the platform's policy trusts when an image is built: who builds decides."""

LIB = "opt/lockgate/lib"
APART = "opt/lockgate/apart"  # libraries of packages that name their own, each list in a folder
APP = "opt/lockgate/app"
MODEL = images.FOLDER
TRUSTED = images.TRUSTED + trust.FILE
_FLOORS = ("boundary", "embedded", "kernel", "runtimes", "serving")  # what the data plane imports of lockgate
_TOP = ("__init__.py", "py.typed")


class Part(NamedTuple):
    """One layer. key: a digest of all that it depends on, so that it is made only once; "" if it is always made."""

    title: str
    members: Callable[[], Members]
    key: str = ""


class Plan(NamedTuple):
    """own: distributions for the server and its runtimes. apart: those of packages that name their own, by the folder's name.
    types: that packages may be made of beside Lockgate's own list, if one of them is made of such.
    """

    own: list[Installed]
    apart: dict[str, list[Installed]]
    models: Members
    types: tuple[str, ...]

    @property
    def installed(self) -> list[Installed]:
        """All whose binaries the base must be able to hold."""
        return [*self.own, *(one for found in self.apart.values() for one in found)]


def none_trusted() -> TrustedTypes:
    """No type beside Lockgate's own list."""
    return NONE


def planned(contents: Sequence[Contents], needs: Needs, signer: Signer, cache: Path, trusted: Trusted) -> Plan:
    """
    Raises:
        Invalid: they do not go into one image. Refused: a package is not signed by who builds the image. Others: see `needed`.
    """  # noqa: D212 - there is nothing else to say
    _check(contents)
    apart = {libraries.name_of(one): needed.installed_apart(one, cache) for one in needed.own_requirements(contents)}
    types = trusted().types if needed.names_types(contents) else ()
    return Plan(needed.of_all(contents, needs), apart, _models(contents, signer), types)


def parts(plan: Plan) -> list[Part]:
    """From what changes least to what changes most: what lies below is stored and transferred once."""
    found = [_compiled("libraries", lambda: installed.members(plan.own, LIB), [LIB, installed.key_of(plan.own)])]
    if plan.apart:
        keys = {name: installed.key_of(some) for name, some in plan.apart.items()}
        found.append(_compiled("libraries of models", lambda: _apart(plan.apart), [APART, keys]))
    sources = program()
    digests = {name: digest_file(one.content) for name, one in sources.items() if isinstance(one.content, Path)}
    return [*found, _compiled("lockgate", lambda: sources, [APP, digests]), Part(images.MODELS, lambda: plan.models)]


def _compiled(title: str, members: Callable[[], Members], key: list[object]) -> Part:
    """With bytecode, which is another for another Python."""
    return Part(title, lambda: with_bytecode(members()), digest_json([key, sys.version]))


def _apart(named: Mapping[str, list[Installed]]) -> Members:
    return {name: one for folder, some in named.items() for name, one in installed.members(some, f"{APART}/{folder}").items()}


def program() -> Members:
    """What of lockgate the data plane is made of."""
    found = [PACKAGE / name for name in _TOP]
    for floor in _FLOORS:
        found += [path for path in (PACKAGE / floor).rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    return {f"{APP}/lockgate/{path.relative_to(PACKAGE).as_posix()}": Member(path) for path in found}


def _check(contents: Sequence[Contents]) -> None:
    models = [one.release.model for one in contents]
    if not models or len(set(models)) < len(models):
        raise Invalid("an image takes one version of each model", hint="Build one image for each version of a model.")


def _models(contents: Sequence[Contents], signer: Signer) -> Members:
    found: dict[str, Member] = {TRUSTED: Member(f"{signer.public_key} who built this image\n".encode())}
    for one in contents:
        _check_signed(one, signer)
        found |= _model(one, signer)
    return found


def _check_signed(contents: Contents, signer: Signer) -> None:
    release = contents.release
    try:
        check_provenance(release, contents.papers.get(release.provenance), trust.trusting([signer.public_key]))
    except Refused as error:
        hint = f"Sign it with the key that this home has now: lockgate sign {release.model} {release.version}"
        raise Refused(f"{error.message}; in an image it would not start", hint=hint) from error


def _model(contents: Contents, signer: Signer) -> dict[str, Member]:
    """The members of one version's bundle, and the signature of them all."""
    release = contents.release
    told = bundles.members(release, contents.manifest_bytes, contents.files, contents.papers)
    digests = {name: digest_file(one) if isinstance(one, Path) else digest_bytes(one) for name, one in told.items()}
    whole = {**told, bundles.SIGNATURE: bundles.signature(digests, release, signer)}
    return {f"{MODEL}/{release.model}/{name}": Member(content) for name, content in whole.items()}
