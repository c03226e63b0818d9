"""Libraries of the system that copied binaries are linked to: each must come with them, or lie in the base.

A wheel brings what it needs or names it beside its files; only what no wheel may count on in a system is left, such as `libgomp`
of LightGBM. What is opened by a name at run time (`dlopen`) is not seen here; that shows when the image is asked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from posixpath import normpath

import msgspec

from lockgate.integrations.oci.blobs import Blobs
from lockgate.integrations.oci.contained import Plan
from lockgate.integrations.oci.elf import Needed, needed_by
from lockgate.integrations.oci.inspecting import Facts
from lockgate.integrations.oci.installed import Installed, key_of
from lockgate.integrations.oci.media import encode
from lockgate.kernel.digest import digest_json
from lockgate.kernel.errors import Invalid

_FORM = 1  # of what is noted
_LIBRARY = re.compile(r".*\.so(\.\d+)*")
_ORIGIN = re.compile(r"\$(ORIGIN|\{ORIGIN\})")
# Of the C library, whose age is checked by itself; and what drivers bring into a container when it starts.
_NOT_ASKED = re.compile(
    r"(libc|libm|libdl|libpthread|librt|libutil|libresolv|libnsl|libanl|libmvec|libcrypt)\.so\.\d+"
    r"|ld-linux.*\.so\.\d+|ld64\.so\.\d+|libcuda\.so\.1|libnvidia-.*"
)
_DEBIAN = {  # the package that has it
    "libgomp.so.1": "libgomp1",
    "libstdc++.so.6": "libstdc++6",
    "libgcc_s.so.1": "libgcc-s1",
    "libz.so.1": "zlib1g",
    "libatomic.so.1": "libatomic1",
    "libgfortran.so.5": "libgfortran5",
    "libquadmath.so.0": "libquadmath0",
    "libopenblas.so.0": "libopenblas0",
    "libGL.so.1": "libgl1",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libssl.so.3": "libssl3",
    "libcrypto.so.3": "libssl3",
}
_TOLD = 4


def check(facts: Facts, plan: Plan, blobs: Blobs) -> None:
    """Raises Invalid if the base lacks what the libraries that go upon it are linked to."""
    asked = asked_of_base(plan, blobs)
    missing = {name: who for name, who in sorted(asked.items()) if name not in facts.libraries}
    if missing:
        told = "; ".join(f"{name}, which {who} needs" for name, who in list(missing.items())[:_TOLD])
        more = f"; and {len(missing) - _TOLD} more" if len(missing) > _TOLD else ""
        raise Invalid(f"the base image lacks {told}{more}", hint=_hint(list(missing)))


def asked_of_base(plan: Plan, blobs: Blobs) -> dict[str, str]:
    """Who needs it, by the library's name. What was found once is noted by the digests of the files.

    Raises:
        Corrupt: one of them is damaged.
    """
    found: dict[str, str] = {}
    for installed in (plan.own, *plan.apart.values()):
        key = digest_json(["needed", _FORM, key_of(installed)])
        noted = blobs.note(key)
        if noted is None:
            noted = encode(dict(_outside(installed)))
            blobs.take_note(key, noted)
        found = msgspec.json.decode(noted, type=dict[str, str]) | found
    return found


def packages(names: Sequence[str]) -> str:
    """Of Debian, that have them, as far as they are known."""
    return " ".join(sorted({_DEBIAN[name] for name in names if name in _DEBIAN}))


def _outside(installed: Sequence[Installed]) -> Iterator[tuple[str, str]]:
    """What they are linked to and do not bring, and the first that is: in its own distribution, or where it says to look."""
    everything = {name for one in installed for name in one.files}
    for one in sorted(installed, key=lambda one: one.name):
        brought = {PurePosixPath(name).name for name in one.files}
        for name in sorted(name for name in one.files if _LIBRARY.fullmatch(name)):
            needs = needed_by(one.root / name) or Needed((), ())
            for library in needs.names:
                looked = {_placed(name, folder, library) for folder in needs.folders}
                if not (library in brought or looked & everything or _NOT_ASKED.fullmatch(library)):
                    yield library, f"{one.name} {one.version} ({name})"


def _placed(name: str, folder: str, library: str) -> str:
    """The path in the distributions' folder that a library is looked for at."""
    return normpath(f"{_ORIGIN.sub(lambda _: str(PurePosixPath(name).parent), folder)}/{library}")


def _hint(missing: Sequence[str]) -> str:
    known = packages(missing)
    how = f", on Debian with `RUN apt-get update && apt-get install -y --no-install-recommends {known}`" if known else ""
    return f"Add it to the base{how}, and give that image with --base."
