"""The forms in which a version travels, and what is known of those that were built."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from lockgate.boundary.manifest import Manifest
from lockgate.boundary.releases import Release


class Form(StrEnum):
    WHEEL = "wheel"  # embedded in somebody's program
    DATA = "data"  # one file, for channels and closed networks
    IMAGE = "image"  # a service in a container


@dataclass(frozen=True, slots=True)
class Contents:
    """What goes into a form. manifest_bytes: as stored, whose digest is `release.digest`. files: of the package, by name; each
    is there under its digest, and was verified. papers: signed statements by the digest that the release names.
    """

    release: Release
    manifest: Manifest
    manifest_bytes: bytes
    files: dict[str, Path]
    papers: dict[str, bytes]


@dataclass(frozen=True, slots=True)
class Asked:
    """What a built form answered where it ran. scores: to the golden rows. environment: for people, what it ran in.

    cold_start: seconds from the start of its process to the first answer.
    """

    scores: tuple[float, ...]
    cold_start: float
    environment: str


@dataclass(frozen=True, slots=True)
class BuiltForm:
    """A form that answered all golden rows as the original did. The last one of its kind; its bytes are what `digest` says.

    digest: of the file; of an image, of its manifest, which registries know it by. size: bytes of the file. difference: the
    largest between an answer and the original's. cold_start: seconds. pushed: where to, if anywhere.
    """

    model: str
    version: int
    form: Form
    digest: str
    file: str
    size: int
    rows: int
    difference: float
    tolerance: float
    cold_start: float
    environment: str
    by: str
    at: datetime
    pushed: str = ""
