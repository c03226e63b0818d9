"""Run a graph of models as one: every node in this process, their scores made into one score a row.

The package holds its nodes' packages whole: `nodes/MODEL/VERSION/manifest.json`, and beside it their files under `files/`. A node
may be a graph. Each node is loaded by its own runtime, under that runtime's own rules.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from lockgate.boundary.manifest import Manifest, Signature, Tensor, decode
from lockgate.embedded.scores import Scorer
from lockgate.kernel.errors import Invalid, LockgateError, Refused
from lockgate.runtimes import registry
from lockgate.runtimes.frames import DTYPES
from lockgate.runtimes.model import Array, Model, RuntimeFailure
from lockgate.runtimes.options import options_of
from lockgate.runtimes.package import Files

DEEPEST = 8  # nodes inside nodes; graphs inside graphs
_NESTED = "/files/nodes/"
_SCORES = ("FP32", "FP64")
Scores = NDArray[np.float64]


class Average(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="average"):
    nodes: tuple[Node, ...]
    weights: tuple[float, ...]


class Vote(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="vote"):
    nodes: tuple[Node, ...]
    threshold: float


class Switch(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="switch"):
    field: str
    cases: dict[str, Node]
    default: Node | None = None


class Chain(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="sequence"):
    nodes: tuple[Node, ...]
    column: str


Node = str | Average | Vote | Switch | Chain
"""A text is the name of a node: MODEL@VERSION."""


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """nodes: digest of the package by name. inline: every node may run in a worker's own process."""

    graph: Node
    nodes: dict[str, str]
    inline: bool = False


class Part(Protocol):
    def scores(self, feeds: Mapping[str, Array], rows: int) -> Scores:
        """Shape (rows,). feeds: those of the request, and scores of earlier nodes, shape (rows,).

        Raises:
            RuntimeFailure: a node failed, and which.
        """
        ...


def load(manifest: Manifest, files: Files) -> GraphModel:
    """The graph with all its nodes.

    Raises:
        RuntimeFailure: a node cannot be loaded. Refused: a node is code that the platform does not trust.
        Invalid: the package is no such graph, or says that it may run inline and a node may not.
    """
    options = options_of(manifest, Options)
    if any(name.count(_NESTED) >= DEEPEST for name in files):
        raise Invalid(f"more than {DEEPEST} graphs inside each other found")
    known = {name: _manifest_of(name, digest, files) for name, digest in options.nodes.items()}
    if options.inline:
        _check_inline(known)
    parts = {name: _part(name, node, manifest, files) for name, node in known.items()}
    return GraphModel(_Building(manifest.signature, parts, options.graph))


class GraphModel:
    def __init__(self, built: _Building) -> None:
        self._root = built.root
        self._names = built.names

    def run(self, feeds: Mapping[str, Array]) -> Sequence[Array]:
        """One array, FP32 of shape (rows, 1).

        Raises:
            RuntimeFailure: a node failed, or a row has no case.
        """
        for name in self._names:
            if name not in feeds:
                raise RuntimeFailure(f"input {name!r} is missing")
        scores = self._root.scores(feeds, len(feeds[self._names[0]]))
        return [scores.astype(np.float32).reshape(-1, 1)]


# From a package to its nodes


def _folder(name: str) -> str:
    model, _, version = name.rpartition("@")
    return f"nodes/{model}/{version}/"


def _manifest_of(name: str, digest: str, files: Files) -> Manifest:
    return decode(bytes(files[f"{_folder(name)}manifest.json"]), digest)


def _check_inline(known: Mapping[str, Manifest]) -> None:
    """The package's word is not enough: it decides whose process a crash would end."""
    others = [f"{name} ({node.runtime})" for name, node in known.items() if not registry.runtime_of(node).inline]
    if others:
        raise Invalid(f"the graph says that it may run inline, and {', '.join(others)} may not", hint="Compose it again.")


def _part(name: str, node: Manifest, manifest: Manifest, files: Files) -> _Loaded:
    folder = f"{_folder(name)}files/"
    own = files.under(folder)
    digests = {file.name: file.digest for file in manifest.files}
    for file in node.files:
        own[file.name]
        if digests[folder + file.name] != file.digest:
            raise RuntimeFailure(f"node {name}: its file {file.name} is another one here")
    if extra := sorted(set(own) - {file.name for file in node.files}):
        raise Invalid(f"node {name}: files {', '.join(extra)} found, which are none of its own")
    with _named(name):
        return _Loaded(name, registry.load_model(node, own), node.signature.inputs, Scorer(node.signature))


@contextmanager
def _named(name: str) -> Iterator[None]:
    """A failure in here says in which node. What it is stays: somebody may be told to trust code."""
    try:
        yield
    except RuntimeFailure as error:
        raise RuntimeFailure(f"node {name}: {error.message}", kind=error.kind, hint=error.hint) from error
    except Refused as error:
        raise Refused(f"node {name}: {error.message}", hint=error.hint) from error
    except LockgateError as error:
        raise Invalid(f"node {name}: {error.message}", hint=error.hint) from error


# From options to parts that score


class _Building:
    """Raises Invalid if the graph is none, or needs other inputs than the signature says."""

    def __init__(self, signature: Signature, parts: Mapping[str, _Loaded], graph: Node) -> None:
        self._parts = parts
        self._inputs = {tensor.name: tensor for tensor in signature.inputs}
        self._needed: set[str] = set()
        self.names = tuple(self._inputs)
        self.root = self._built(graph, frozenset(), 0)
        if self._needed != set(self._inputs):
            raise Invalid(f"the graph's inputs are {sorted(self._needed)}, its signature says {sorted(self._inputs)}")
        if [(one.datatype, one.shape) for one in signature.outputs] != [("FP32", (-1, 1))]:
            raise Invalid("a graph has one output, FP32 of shape [-1, 1]")

    def _built(self, node: Node, derived: frozenset[str], depth: int) -> Part:
        """derived: names of scores."""
        if depth > DEEPEST:
            raise Invalid(f"more than {DEEPEST} nodes inside each other found")
        if isinstance(node, str):
            return self._leaf(node, derived)
        if isinstance(node, Switch):
            return self._switch(node, derived, depth + 1)
        if not node.nodes:
            raise Invalid("a node without nodes found")
        if isinstance(node, Chain):
            later = derived | {node.column}
            nodes = [self._built(one, later if index else derived, depth + 1) for index, one in enumerate(node.nodes)]
            return _Chain(nodes, node.column)
        parts = [self._built(one, derived, depth + 1) for one in node.nodes]
        return _Average(parts, node.weights) if isinstance(node, Average) else _Vote(parts, node.threshold)

    def _leaf(self, name: str, derived: frozenset[str]) -> Part:
        if name not in self._parts:
            raise Invalid(f"node {name!r:.100} found, one of {', '.join(self._parts)} expected")
        part = self._parts[name]
        scored = [tensor for tensor in part.inputs if tensor.name in derived]
        plain = [tensor for tensor in part.inputs if tensor.name not in derived]
        for tensor in scored:
            if tensor.datatype not in _SCORES or tensor.shape[1:] not in ((), (1,)):
                raise Invalid(f"node {name}: {tensor.name!r} cannot take a score")
        for tensor in plain:
            self._need(tensor.name)
            own = self._inputs[tensor.name]
            if (own.datatype, own.shape) != (tensor.datatype, tensor.shape):
                raise Invalid(
                    f"node {name} takes {tensor.name!r} as {tensor.datatype} {list(tensor.shape)}, and the graph otherwise"
                )
        return _Leaf(part, plain, scored)

    def _switch(self, node: Switch, derived: frozenset[str], depth: int) -> Part:
        self._need(node.field)
        if node.field in derived or self._inputs[node.field].shape[1:] not in ((), (1,)):
            raise Invalid(f"{node.field!r} is no input with one value a row, and the graph switches on it")
        cases = {value: self._built(one, derived, depth) for value, one in node.cases.items()}
        return _Switch(node.field, cases, None if node.default is None else self._built(node.default, derived, depth))

    def _need(self, name: str) -> None:
        if name not in self._inputs:
            raise Invalid(f"the graph needs the input {name!r}, its signature says {sorted(self._inputs)}")
        self._needed.add(name)


class _Loaded(NamedTuple):
    """A node's model, which may have several places in the graph."""

    name: str
    model: Model
    inputs: tuple[Tensor, ...]
    scorer: Scorer


class _Leaf:
    """A model in one of the graph's places. plain: inputs that come from the request; scored: those that are scores."""

    def __init__(self, loaded: _Loaded, plain: Sequence[Tensor], scored: Sequence[Tensor]) -> None:
        self._name = loaded.name
        self._model = loaded.model
        self._scorer = loaded.scorer
        self._plain = tuple(tensor.name for tensor in plain)
        self._scored = tuple((tensor.name, DTYPES[tensor.datatype], (-1, *tensor.shape[1:])) for tensor in scored)

    def scores(self, feeds: Mapping[str, Array], rows: int) -> Scores:
        given = {name: feeds[name] for name in self._plain}
        for name, dtype, shape in self._scored:
            given[name] = feeds[name].astype(dtype).reshape(shape)
        try:
            return np.array(self._scorer.scores(self._model.run(given), rows), dtype=np.float64)
        except RuntimeFailure as error:
            raise RuntimeFailure(f"node {self._name}: {error.message}", kind=error.kind, hint=error.hint) from error
        except (LockgateError, ValueError) as error:  # ValueError: not as many outputs as the signature names
            raise RuntimeFailure(f"node {self._name}: {error}", kind="output") from error


class _Average:
    def __init__(self, parts: Sequence[Part], weights: Sequence[float]) -> None:
        if len(weights) != len(parts) or not all(0 < weight < np.inf for weight in weights):
            raise Invalid(f"weights {list(weights)} found for {len(parts)} nodes, one greater than 0 for each expected")
        self._parts = tuple(zip(parts, weights, strict=True))
        self._total = sum(weights)

    def scores(self, feeds: Mapping[str, Array], rows: int) -> Scores:
        total = np.zeros(rows)
        for part, weight in self._parts:
            total += weight * part.scores(feeds, rows)
        return total / self._total


class _Vote:
    """Scores have 32 bits, and so has the threshold: a score that is written like the threshold reaches it."""

    def __init__(self, parts: Sequence[Part], threshold: float) -> None:
        self._parts = parts
        self._threshold = np.float32(threshold)

    def scores(self, feeds: Mapping[str, Array], rows: int) -> Scores:
        votes = np.zeros(rows)
        for part in self._parts:
            votes += part.scores(feeds, rows).astype(np.float32) >= self._threshold
        return votes / len(self._parts)


class _Switch:
    def __init__(self, field: str, cases: Mapping[str, Part], default: Part | None) -> None:
        self._field = field
        self._cases = cases
        self._default = default

    def scores(self, feeds: Mapping[str, Array], rows: int) -> Scores:
        mine: dict[Part, list[int]] = {}
        for row, value in enumerate(feeds[self._field].reshape(-1).tolist()):
            part = self._cases.get(_spelled(value), self._default)
            if part is None:  # the value itself is not told: it may be one that no record may keep
                known = ", ".join(self._cases)
                raise RuntimeFailure(f"switch on {self._field!r}: a row is none of {known}, and there is no default")
            mine.setdefault(part, []).append(row)
        if len(mine) == 1:
            return next(iter(mine)).scores(feeds, rows)
        answers = np.empty(rows)
        for part, picked in mine.items():
            answers[picked] = part.scores({name: feed[picked] for name, feed in feeds.items()}, len(picked))
        return answers


class _Chain:
    def __init__(self, parts: Sequence[Part], column: str) -> None:
        self._parts = parts
        self._column = column

    def scores(self, feeds: Mapping[str, Array], rows: int) -> Scores:
        scores = self._parts[0].scores(feeds, rows)
        for part in self._parts[1:]:
            scores = part.scores({**feeds, self._column: scores}, rows)
        return scores


def _spelled(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
