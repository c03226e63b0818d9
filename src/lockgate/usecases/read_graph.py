"""Read a file that declares a graph of models, and find every model that it names. One answer holds everything that is wrong."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from lockgate.boundary.manifest import Manifest, Tensor, decode
from lockgate.domain.models import ModelVersion
from lockgate.kernel.errors import Corrupt, Fault, Invalid, InvalidInput, NotFound
from lockgate.ports.state import ALIASES, MODELS, VERSIONS, Reader
from lockgate.project.document import Document, read_document, spell
from lockgate.project.faults import shown, suggestion
from lockgate.stages.build.packaging.graph import Leaf, Node, Reading, Wrong, resolved
from lockgate.stages.build.packaging.graph_inputs import GraphInputs
from lockgate.stages.build.packaging.graph_package import nesting_faults, requirement_faults
from lockgate.stages.fields import Name
from lockgate.usecases.find_rule import unpassed_gates
from lockgate.usecases.world import World

_KEYS = ("model", "graph")
_NAME = TypeAdapter(Name)


@dataclass(frozen=True, slots=True)
class Part:
    """A version that the graph names, once however often it is named. size: of its manifest, in bytes."""

    model: str
    version: int
    digest: str
    dirty: bool
    manifest: Manifest
    size: int

    @property
    def name(self) -> str:
        return f"{self.model}@{self.version}"


@dataclass(frozen=True, slots=True)
class ReadGraph:
    """graph: of versions only. only_switched: inputs that no node takes, and their values that the graph knows."""

    model: str
    graph: Node
    parts: tuple[Part, ...]
    inputs: tuple[Tensor, ...]
    only_switched: dict[str, list[str]]


def read_graph(world: World, path: Path) -> ReadGraph:
    """What the file says, every alias resolved to the version that it names now.

    Raises:
        InvalidInput: the file cannot be read, is no such graph, or its models do not go together.
    """
    document = read_document(path, path.name)
    whole = document.value if isinstance(document.value, dict) else {}
    reading = Reading(whole["graph"], ("graph",)) if "graph" in whole else None
    wrong = [*_wrong_keys(document), *(reading.wrong if reading else [])]
    with world.state.read() as tx:
        finding = _Finding(world, tx, reading.leaves if reading else [])
    wrong += finding.wrong
    if reading is None or reading.node is None or wrong or document.faults:
        raise _refusal(document, wrong)
    graph = resolved(reading.node, {name: part.version for name, part in finding.parts.items()})
    parts = tuple({part.name: part for part in finding.parts.values()}.values())
    inputs = GraphInputs(graph, {part.name: part.manifest.signature for part in parts})
    known = [part.manifest for part in parts]
    wrong = [*inputs.wrong, *nesting_faults(whole["model"], known), *requirement_faults(known)]
    if wrong:
        raise _refusal(document, wrong)
    return ReadGraph(whole["model"], graph, parts, inputs.inputs, inputs.only_switched)


class _Finding:
    """parts: by leaf as it is written."""

    def __init__(self, world: World, tx: Reader, leaves: Iterable[Leaf]) -> None:
        self.wrong: list[Wrong] = []
        self.parts: dict[str, Part] = {}
        self._world = world
        self._tx = tx
        for leaf in leaves:
            self._find(leaf)

    def _find(self, leaf: Leaf) -> None:
        version = self._version(leaf)
        if version is None or str(leaf) in self.parts:
            return
        unpassed = unpassed_gates(self._tx, version, self._world.clock.now())
        if unpassed:  # alone it could not come in, so neither may it as a part of something
            self.wrong.append(Wrong(leaf.place, f"{leaf}: {'; '.join(unpassed)}"))
            return
        try:
            content = self._world.artifacts.get(version.digest)
            manifest = decode(content, version.digest)
        except (NotFound, Corrupt, Invalid) as error:
            self.wrong.append(Wrong(leaf.place, f"{leaf}: {error.message}"))
            return
        self.parts[str(leaf)] = Part(leaf.model, version.version, version.digest, version.dirty, manifest, len(content))

    def _version(self, leaf: Leaf) -> ModelVersion | None:
        model = self._tx.get(MODELS, leaf.model)
        if model is None:
            known = sorted(one.name for one in self._tx.find(MODELS))
            self._unknown(leaf, f"there is no model {leaf.model!r}", suggestion(leaf.model, known))
            return None
        if not leaf.which.isdigit():
            return self._by_alias(leaf)
        found = self._tx.get(VERSIONS, leaf.model, int(leaf.which)) if len(leaf.which) < _LONGEST_NUMBER else None
        if found is None:
            latest = model.latest_version
            self._unknown(leaf, f"{leaf.model} has no version {leaf.which}; its latest is {latest}", f"{leaf.model}@{latest}")
        return found

    def _by_alias(self, leaf: Leaf) -> ModelVersion | None:
        alias = self._tx.get(ALIASES, leaf.model, leaf.which)
        if alias is not None:
            return self._tx.get(VERSIONS, leaf.model, alias.version)
        known = [one.name for one in self._tx.find(ALIASES, model=leaf.model)]
        told = f"its aliases are {', '.join(known)}" if known else "it has none now: a champion is what stands in Production"
        self._unknown(leaf, f"{leaf.model} has no alias {leaf.which!r}; {told}", suggestion(leaf.which, known))
        return None

    def _unknown(self, leaf: Leaf, message: str, meant: str | None) -> None:
        self.wrong.append(Wrong(leaf.place, message, meant))


_LONGEST_NUMBER = 10


def _wrong_keys(document: Document) -> Iterator[Wrong]:
    if not isinstance(document.value, dict):
        if not document.faults:
            yield Wrong((), f"a mapping with {' and '.join(_KEYS)} expected, {shown(document.value)} found")
        return
    for key in document.value:
        if key not in _KEYS:
            yield Wrong((key,), f"unknown key; {', '.join(_KEYS)} expected", suggestion(key, _KEYS), at_key=True)
    for key in _KEYS:
        if key not in document.value:
            yield Wrong((key,), "is missing")
    if "model" in document.value:
        yield from _wrong_name(document.value["model"])


def _wrong_name(value: Any) -> Iterator[Wrong]:
    try:
        _NAME.validate_python(value, strict=True)
    except ValidationError as error:
        message = error.errors(include_url=False)[0]["msg"].removeprefix("Value error, ")
        yield Wrong(("model",), f"{message}, {shown(value)} found")


def _refusal(document: Document, wrong: Iterable[Wrong]) -> InvalidInput:
    faults = {*document.faults, *(_fault(one, document) for one in wrong)}
    told = sorted(faults, key=lambda fault: (fault.line or 0, fault.path, fault.message))
    return InvalidInput(document.file, told, hint=f"Change {document.file} and compose again.")


def _fault(one: Wrong, document: Document) -> Fault:
    line = document.keys.get(one.place) if one.at_key else document.line(one.place)
    return Fault(spell(one.place), one.message, document.file, line, one.suggestion)
