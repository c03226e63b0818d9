"""How packages lie in the package of a graph, and whether they may lie there together."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from lockgate.boundary.manifest import Manifest
from lockgate.stages.build.packaging.graph import DEEPEST, MOST_MODELS, RUNTIME, Wrong

MANIFEST = "manifest.json"
INLINE = frozenset({"onnx"})
"""Runtimes of which the data plane lets every package run in a worker's own process; it verifies what is claimed here."""
_NODE = re.compile(r"(?:nodes/[^/]+/[0-9]+/files/)*nodes/([^/]+)/[0-9]+/manifest\.json", re.ASCII)
_GRAPH = ("graph",)


def folder_of(model: str, version: int) -> str:
    return f"nodes/{model}/{version}/"


def may_be_inline(nodes: Sequence[Manifest]) -> bool:
    return all(one.options.get("inline") is True if one.runtime == RUNTIME else one.runtime in INLINE for one in nodes)


def manifests_in(manifest: Manifest) -> list[str]:
    """Digests of the manifests of all packages in a graph's, however deep; of any other package none."""
    return [file.digest for file in manifest.files if manifest.runtime == RUNTIME and _NODE.fullmatch(file.name)]


def requirements_of(nodes: Sequence[Manifest]) -> tuple[str, ...]:
    return tuple(sorted({requirement for one in nodes for requirement in one.requirements}))


def requirement_faults(nodes: Sequence[Manifest]) -> Iterator[Wrong]:
    """All nodes share one process, and so one environment."""
    with_own = sorted(one.model for one in nodes if one.requirements)
    if with_own and len(with_own) < len(nodes):
        others = ", ".join(sorted(one.model for one in nodes if not one.requirements))
        message = f"{', '.join(with_own)} runs in an environment of its own, {others} in the server's; one for all expected"
        yield Wrong(_GRAPH, message)
    pins: dict[str, set[str]] = {}
    for requirement in requirements_of(nodes):
        name, _, version = requirement.partition("==")
        pins.setdefault(re.sub(r"[-_.]+", "-", name).lower(), set()).add(version)
    for name, versions in pins.items():
        if len(versions) > 1:
            yield Wrong(_GRAPH, f"its nodes require {name} in versions {', '.join(sorted(versions))}; one for all expected")


def nesting_faults(model: str, nodes: Sequence[Manifest]) -> Iterator[Wrong]:
    """A graph may be a node, but no model may be part of itself, and neither depth nor number is without end."""
    inside = [_inside(one) for one in nodes]
    if any(one.model == model or model in known for one, known in zip(nodes, inside, strict=True)):
        yield Wrong(_GRAPH, f"{model} would be part of itself; give the graph another model's name")
    if (count := len(nodes) + sum(map(len, inside))) > MOST_MODELS:
        yield Wrong(_GRAPH, f"{count} models found, those of the graphs in it included; at most {MOST_MODELS} expected")
    if any(file.name.count("/files/nodes/") >= DEEPEST - 1 for one in nodes for file in one.files):
        yield Wrong(_GRAPH, f"at most {DEEPEST} graphs inside each other expected")


def _inside(node: Manifest) -> list[str]:
    """The names of the models in a node that is a graph."""
    if node.runtime != RUNTIME:
        return []
    return [found[1] for file in node.files if (found := _NODE.fullmatch(file.name))]
