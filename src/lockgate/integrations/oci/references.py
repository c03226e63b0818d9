"""Names of images in registries: `HOST[:PORT]/NAME[:TAG][@sha256:DIGITS]`.

Source: the distribution project's reference grammar; a name without a host is Docker Hub's, as the docker client reads it.
"""

from __future__ import annotations

import platform
import re
from dataclasses import dataclass

from lockgate.boundary.exposure import is_loopback
from lockgate.kernel.errors import Invalid

_HUB = "docker.io"
_HUB_API = "registry-1.docker.io"
_HOST = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9a-fA-F:]+\])(?::[0-9]{1,5})?", re.ASCII)
_PART = r"[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*"
_NAME = re.compile(rf"{_PART}(?:/{_PART})*", re.ASCII)
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}", re.ASCII)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}", re.ASCII)
_LONGEST = 255


@dataclass(frozen=True, slots=True)
class Reference:
    """host: with its port, as people write it. digest: counts for more than the tag, where there is one."""

    host: str
    name: str
    tag: str
    digest: str = ""

    def __str__(self) -> str:
        return f"{self.host}/{self.name}" + (f":{self.tag}" if self.tag else "") + (f"@{self.digest}" if self.digest else "")

    @property
    def api(self) -> str:
        """Host and port that are asked."""
        return _HUB_API if self.host == _HUB else self.host

    @property
    def secure(self) -> bool:
        """Only a registry of this machine is spoken to without TLS."""
        return not is_loopback(self.host.rpartition(":")[0] or self.host if ":" in self.host else self.host)

    @property
    def wanted(self) -> str:
        return self.digest or self.tag


def parse(text: str) -> Reference:
    """Raises Invalid if it is no name of an image."""
    rest, _, digest = text.partition("@")
    first, slash, remainder = rest.partition("/")
    if slash and (first == "localhost" or any(mark in first for mark in ".:")):
        host, rest = first, remainder
    else:
        host = _HUB
    name, colon, tag = rest.partition(":")
    if host == _HUB and "/" not in name:
        name = f"library/{name}"
    tag = tag or ("" if digest else "latest")
    wrong = _wrong(host, name, tag, digest)
    if wrong or (colon and not rest.partition(":")[2]):
        raise Invalid(
            f"{text!r:.200} is no name of an image: {wrong or 'a tag expected after the colon'}",
            hint="Write HOST[:PORT]/NAME:TAG, as registry.example.org/team/flight-delay:7.",
        )
    return Reference(host, name, tag, digest)


def _wrong(host: str, name: str, tag: str, digest: str) -> str:
    if not _HOST.fullmatch(host):
        return f"host {host!r:.80} found"
    if not _NAME.fullmatch(name) or len(name) > _LONGEST:
        return f"name {name!r:.80} found, small letters, digits and . _ - / expected"
    if tag and not _TAG.fullmatch(tag):
        return f"tag {tag!r:.80} found"
    return "" if not digest or _DIGEST.fullmatch(digest) else f"digest {digest!r:.80} found, sha256: and 64 digits expected"


def usual_base() -> str:
    """Python's own image of the Python that runs here."""
    version = ".".join(platform.python_version_tuple()[:2])
    return f"docker.io/library/python:{version}-slim"
