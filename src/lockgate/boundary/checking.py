"""What is known of a form from its file and public keys alone: each thing that was looked at, and what was found.

Nothing stops at the first fault: who asks wants to see what holds and what does not. `Checked.ok` says whether all of it holds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from lockgate.boundary import bundles, releases, statements
from lockgate.boundary.manifest import Manifest
from lockgate.boundary.manifest import decode as manifest_in
from lockgate.boundary.releases import Release
from lockgate.boundary.statements import Statement
from lockgate.boundary.trust import Trust, TrustedKey
from lockgate.kernel.digest import digest_bytes, short
from lockgate.kernel.errors import Corrupt, LockgateError, Refused

T = TypeVar("T")
NOT_SIGNED = "it is not signed"
_TOLD = 3  # faults


class Step(msgspec.Struct, frozen=True):
    """One thing that was looked at. said: what was found, for people."""

    what: str
    ok: bool
    said: str


class CheckedPackage(msgspec.Struct, frozen=True):
    """One version in a form. signer: who vouches for the package; None: nobody that is trusted. provenance, bill: predicates of
    statements by trusted keys; None where there are none.
    """

    release: Release | None = None
    manifest: Manifest | None = None
    signer: TrustedKey | None = None
    provenance: dict[str, Any] | None = None
    bill: dict[str, Any] | None = None


class Checked(msgspec.Struct, frozen=True):
    """kind: wheel, data or image. digest: of the file; of an image, of its manifest. signer: of the form itself."""

    kind: str
    file: str
    digest: str
    steps: tuple[Step, ...]
    packages: tuple[CheckedPackage, ...] = ()
    signer: TrustedKey | None = None

    @property
    def ok(self) -> bool:
        return all(one.ok for one in self.steps)


class Steps:
    """Collects what was looked at."""

    def __init__(self) -> None:
        self.done: list[Step] = []

    def look(self, what: str, check: Callable[[], tuple[T, str]]) -> T | None:
        """What the check found, and what it said of it; None where it did not hold."""
        try:
            found, said = check()
        except LockgateError as error:
            self.fail(what, error)
            return None
        self.done.append(Step(what, ok=True, said=said))
        return found

    def fail(self, what: str, error: LockgateError) -> None:
        self.done.append(Step(what, ok=False, said=error.message))


class Members:
    """One package's members as a form holds them: their digests and sizes, and the content of the small ones."""

    def __init__(self, digests: dict[str, str], sizes: dict[str, int], read: Callable[[str], bytes]) -> None:
        self.digests = digests
        self.sizes = sizes
        self.read = read

    def content(self, name: str) -> bytes:
        """Raises Corrupt if it is not there."""
        if name not in self.digests:
            raise Corrupt(f"{name} is missing")
        return self.read(name)


def check_bundle(
    steps: Steps, members: Members, package: Members, signature: str, beside: set[str], trust: Trust, prefix: str = ""
) -> tuple[CheckedPackage, TrustedKey | None]:
    """A package with the signature of all members. The package, and who signed.

    members: all that is signed, and the signature; package: those of them that are the package's, by their own names. signature:
    its name. beside: what is not signed, since it follows from the rest. prefix: of what is said.
    """
    heard = steps.look(f"{prefix}signature", lambda: _signature(members, signature, trust))
    if heard is not None:
        steps.look(f"{prefix}members", lambda: _listed(heard[0], members, {signature, *beside}))
    found = check_package(steps, package, trust, prefix)
    if heard is not None and found.release is not None:
        release = found.release
        steps.look(f"{prefix}signed as", lambda: meant(heard[0], release))
    return found, heard[1] if heard is not None else None


def meant(stated: Statement, release: Release) -> tuple[bool, str]:
    """The words of a signature are about the release in the form."""
    if stated.predicate.get("purl") != bundles.purl(release):
        found = f"{stated.predicate.get('purl')!r:.120}"
        raise Refused(f"it was signed as {found}, {bundles.purl(release)!r} expected")
    return True, bundles.purl(release)


def check_package(steps: Steps, members: Members, trust: Trust, prefix: str = "") -> CheckedPackage:
    """The release, the manifest that it names, the files that this names, and the papers. prefix: of what is said."""
    release = steps.look(f"{prefix}release", lambda: _release(members))
    if release is None:
        return CheckedPackage()
    manifest = steps.look(f"{prefix}manifest", lambda: _manifest(members, release))
    if manifest is not None:
        steps.look(f"{prefix}files", lambda: _files(members, manifest))
    said = steps.look(f"{prefix}provenance", lambda: _provenance(members, release, trust))
    stated = steps.look(f"{prefix}bill of materials", lambda: _bill(members, release, trust))
    signer, provenance = said if said is not None else (None, None)
    return CheckedPackage(release, manifest, signer, provenance, stated)


def _release(members: Members) -> tuple[Release, str]:
    release = bundles.decode(members.content(bundles.RELEASE))
    return release, f"{release}, package {short(release.digest)}"


def _manifest(members: Members, release: Release) -> tuple[Manifest, str]:
    manifest = manifest_in(members.content(bundles.MANIFEST), release.digest)
    if manifest.model != release.model:
        raise Corrupt(f"the manifest is of {manifest.model!r:.80}, the release of {release.model!r:.80}")
    return manifest, f"{manifest.runtime}, {len(manifest.golden.scores)} golden rows"


def _files(members: Members, manifest: Manifest) -> tuple[bool, str]:
    """Each as the manifest says, and no other."""
    wanted = {bundles.FILES + one.name: one for one in manifest.files}
    found = {name for name in members.digests if name.startswith(bundles.FILES)}
    if odd := sorted(found ^ wanted.keys()):
        how = "is missing" if odd[0] in wanted else "stands in no manifest"
        raise Corrupt(f"{odd[0]:.200} {how}")
    for name, one in wanted.items():
        if members.digests[name] != one.digest:
            raise Corrupt(f"{name:.200} is {short(members.digests[name])}, the manifest says {short(one.digest)}")
        if members.sizes[name] != one.size:
            raise Corrupt(f"{name:.200} has {members.sizes[name]} bytes, {one.size} expected")
    return True, f"{len(wanted)} as the manifest says, {sum(one.size for one in wanted.values())} bytes"


def _provenance(members: Members, release: Release, trust: Trust) -> tuple[tuple[TrustedKey, dict[str, Any]], str]:
    content = _paper(members, bundles.PROVENANCE, release.provenance)
    key = releases.check_provenance(release, content, trust)
    stated, _ = statements.hear(content, statements.PROVENANCE, trust, "the provenance")
    return (key, stated.predicate), _by(key)


def _bill(members: Members, release: Release, trust: Trust) -> tuple[dict[str, Any], str]:
    content = _paper(members, bundles.SBOM, release.sbom)
    stated, key = statements.hear_about(content, statements.BILL, release.digest, trust, "the bill of materials")
    components = stated.predicate.get("components")
    return stated.predicate, f"{len(components) if isinstance(components, list) else 0} components, {_by(key)}"


def _paper(members: Members, name: str, digest: str) -> bytes:
    if not digest:
        raise Refused(NOT_SIGNED)
    content = members.content(name)
    if digest_bytes(content) != digest:
        raise Corrupt(f"{name} is {short(digest_bytes(content))}, the release says {short(digest)}")
    return content


def _by(key: TrustedKey) -> str:
    return f"signed by {key.name or key.key}"


def _signature(members: Members, name: str, trust: Trust) -> tuple[tuple[Statement, TrustedKey], str]:
    if name not in members.digests:
        raise Refused(NOT_SIGNED)
    stated, key = statements.hear(members.read(name), statements.RELEASE, trust, "the file")
    return (stated, key), f"by {key.name or key.key}"


def _listed(stated: Statement, members: Members, beside: set[str]) -> tuple[bool, str]:
    """Every member is as it was signed, and there is no other."""
    signed, found = stated.digests(), {name: one for name, one in members.digests.items() if name not in beside}
    faults = [f"{name:.200} is missing" for name in sorted(signed.keys() - found.keys())]
    faults += [f"{name:.200} was put in" for name in sorted(found.keys() - signed.keys())]
    faults += [f"{name:.200} was altered" for name in sorted(signed.keys() & found.keys()) if signed[name] != found[name]]
    if faults:
        raise Corrupt("; ".join(faults[:_TOLD]) + (f"; and {len(faults) - _TOLD} more" if len(faults) > _TOLD else ""))
    return True, f"{len(signed)} signed, each as it was signed, and no other"
