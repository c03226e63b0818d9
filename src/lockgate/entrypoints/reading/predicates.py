"""What provenance and bills of materials say. Another tool may have written them, in another shape than ours."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def builder(provenance: Mapping[str, Any]) -> str:
    return str(part(part(provenance, "runDetails"), "builder").get("id", "unknown"))


def sources(provenance: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The commit, each set of data, each node of a graph: its name, and its digest in digits."""
    found = part(provenance, "buildDefinition").get("resolvedDependencies")
    for one in found if isinstance(found, list) else ():
        if isinstance(one, dict):
            yield str(one.get("name")), str(next(iter(part(one, "digest").values()), ""))


def libraries(bill: Mapping[str, Any]) -> Iterator[str]:
    """That must be there to run it, each with its version."""
    found = bill.get("components")
    for one in found if isinstance(found, list) else ():
        if isinstance(one, dict) and one.get("type") == "library" and one.get("scope") != "excluded":
            yield f"{one.get('name')} {one.get('version')}"


def part(whole: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Empty where there is none."""
    found = whole.get(name)
    return found if isinstance(found, dict) else {}
