"""What a wheel says of itself: core metadata 2.1 and the wheel format 1.0."""

from __future__ import annotations

from collections.abc import Iterable
from email import message_from_bytes

from lockgate.boundary.bundles import purl
from lockgate.boundary.releases import Release
from lockgate.integrations.wheel.names import Names
from lockgate.kernel.release import __version__

_PYTHON = ">=3.11"


def metadata(names: Names, release: Release, requirements: Iterable[str], described: str) -> bytes:
    """METADATA. described: for the page of it, as Markdown."""
    lines = [
        "Metadata-Version: 2.1",
        f"Name: {names.distribution}",
        f"Version: {names.version}",
        f"Summary: {_line(str(release))}, a model that answers in the program that asks it",
        f"Keywords: {_line(purl(release))},{release.digest}",
        "Description-Content-Type: text/markdown; charset=UTF-8",
        f"Requires-Python: {_PYTHON}",
        *(f"Requires-Dist: {requirement}" for requirement in requirements),
    ]
    return ("\n".join(lines) + f"\n\n{described}\n").encode()


def _line(text: str) -> str:
    """What stands in one: a model may be called anything, and a header ends where its line does."""
    return text if text.isprintable() else repr(text)[1:-1]


def wheel() -> bytes:
    """WHEEL."""
    lines = ["Wheel-Version: 1.0", f"Generator: lockgate {__version__}", "Root-Is-Purelib: true", "Tag: py3-none-any"]
    return ("\n".join(lines) + "\n").encode()


def required(content: bytes) -> list[str]:
    """What a METADATA requires."""
    return [str(one) for one in message_from_bytes(content).get_all("Requires-Dist") or ()]
