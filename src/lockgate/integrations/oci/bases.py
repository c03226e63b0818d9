"""The image that another is put upon: its layers as blobs, its config, and what was found in it."""

from __future__ import annotations

import platform
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import msgspec

from lockgate.integrations.oci import inspecting
from lockgate.integrations.oci.blobs import Blobs
from lockgate.integrations.oci.inspecting import Facts
from lockgate.integrations.oci.installed import Installed
from lockgate.integrations.oci.media import BaseConfig, Descriptor, Index, Manifest, decode, layer_type
from lockgate.kernel.errors import Invalid

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "ppc64le": "ppc64le", "s390x": "s390x"}
_MOST_LAYERS = 127  # what engines stack
OURS = 4  # layers that are put upon it, at most


@dataclass(frozen=True, slots=True)
class Base:
    """layers: under OCI names. name: reference in a registry; "" for one of this machine. digest: of its manifest, "" if none."""

    config: BaseConfig
    layers: tuple[Descriptor, ...]
    facts: Facts
    name: str = ""
    digest: str = ""


def assembled(manifest: Manifest, config: bytes, blobs: Blobs, name: str = "", digest: str = "") -> Base:
    """Of parts that are all there.

    Raises:
        Corrupt: they are not what they say. Invalid: it is no base for what runs here.
    """
    known = decode(config, BaseConfig, "the config of the base image")
    layers = tuple(Descriptor(layer_type(one.media_type), one.digest, blobs.size(one.digest)) for one in manifest.layers)
    if len(layers) > _MOST_LAYERS - OURS:
        raise Invalid(f"a base image of {len(layers)} layers found, at most {_MOST_LAYERS - OURS} expected")
    return Base(known, layers, inspecting.inspect(layers, known.rootfs.diff_ids, blobs), name, digest)


def chosen(index: Index) -> Descriptor:
    """The manifest for this machine's kind.

    Raises:
        Invalid: there is none.
    """
    here = architecture()
    fitting = [
        one for one in index.manifests if one.platform is None or (one.platform.os, one.platform.architecture) == ("linux", here)
    ]
    if not fitting:
        offered = ", ".join(sorted({f"{one.platform.os}/{one.platform.architecture}" for one in index.manifests if one.platform}))
        raise Invalid(f"the base image is there for {offered:.200}, linux/{here} expected", hint="Choose another with --base.")
    return fitting[0]


def check(base: Base, installed: Iterable[Installed]) -> str:
    """The path of the interpreter in the base that can run what is installed here.

    Raises:
        Invalid: there is none, or its C library cannot hold these binaries.
    """
    here, python = architecture(), version()
    if (base.config.os, base.config.architecture) != ("linux", here):
        raise _unfit(f"it is for {base.config.os}/{base.config.architecture}, linux/{here} expected")
    if python not in base.facts.pythons:
        found = ", ".join(sorted(base.facts.pythons)) or "none"
        raise _unfit(f"Python {python} expected, as the libraries here are for, and {found} found")
    _check_libc(base.facts, max(installed, key=lambda one: one.glibc, default=None))
    return base.facts.pythons[python]


def _check_libc(facts: Facts, neediest: Installed | None) -> None:
    if neediest is None or not neediest.glibc:
        return
    needs = f"{neediest.name} {neediest.version} needs glibc 2.{neediest.glibc}"
    if facts.glibc is None:
        raise _unfit(f"{needs}, and {'musl' if facts.musl else 'no C library'} was found")
    if facts.glibc < neediest.glibc:
        raise _unfit(f"{needs}, and glibc 2.{facts.glibc} was found")


def _unfit(reason: str) -> Invalid:
    return Invalid(
        f"the base image does not fit: {reason}",
        hint=f"Choose another with --base, such as python:{version()}-slim: a name in a registry, a tar file or a folder.",
    )


def version() -> str:
    """Of the Python that runs here, as `3.11`."""
    return ".".join(platform.python_version_tuple()[:2])


def architecture() -> str:
    """This machine's, as images name it."""
    return _ARCHITECTURES.get(platform.machine(), platform.machine())


def settings(base: Base) -> dict[str, Any]:
    """How its containers are started, with Docker's spelling."""
    return {name: msgspec.json.decode(value) for name, value in (base.config.config or {}).items()}
