"""What a graph of models says: its nodes, how their scores become one, and everything that is wrong with what somebody wrote.

A node is a registered model, written MODEL@VERSION or MODEL@ALIAS, or a mapping with one of the kinds below. Nodes nest.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

RUNTIME = "graph"
DEEPEST = 8  # nodes inside nodes; graphs inside graphs
MOST_MODELS = 64  # in one graph, those of the graphs in it included
_LEAF = re.compile(r"([a-z0-9]+(?:[-_.][a-z0-9]+)*)@([A-Za-z0-9][A-Za-z0-9_.-]*)", re.ASCII)
_KEYS = {"average": ("weights",), "vote": ("threshold",), "switch": (), "sequence": ("as",)}
_IN_SWITCH = ("field", "cases", "default")
_FORM = "MODEL@VERSION, MODEL@ALIAS, or a mapping with average, vote, switch or sequence expected"

Place = tuple[str | int, ...]


class Wrong(NamedTuple):
    """place: where in the file. at_key: its key is meant, and not its value."""

    place: Place
    message: str
    suggestion: str | None = None
    at_key: bool = False


@dataclass(frozen=True, slots=True)
class Leaf:
    """which: a version's number, or an alias."""

    model: str
    which: str
    place: Place = dataclasses.field(default=(), compare=False)

    def __str__(self) -> str:
        return f"{self.model}@{self.which}"


@dataclass(frozen=True, slots=True)
class Average:
    """The weighted mean of the nodes' scores."""

    nodes: tuple[Node, ...]
    weights: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Vote:
    """The share of the nodes whose score is the threshold or more."""

    nodes: tuple[Node, ...]
    threshold: float


@dataclass(frozen=True, slots=True)
class Switch:
    """Each row's value of an input says which node scores it. cases: by value as text; integers and true, false as written."""

    field: str
    cases: Mapping[str, Node]
    default: Node | None
    place: Place = dataclasses.field(default=(), compare=False)


@dataclass(frozen=True, slots=True)
class Sequence:
    """The score of each node is an input of the next, under the name `column`; the last one's score counts."""

    nodes: tuple[Node, ...]
    column: str
    place: Place = dataclasses.field(default=(), compare=False)


Node = Leaf | Average | Vote | Switch | Sequence


class Reading:
    """The node in a plain value, as YAML gives it. `node` is None if it cannot be read; `leaves` are those that could be."""

    def __init__(self, value: Any, place: Place) -> None:
        self.wrong: list[Wrong] = []
        self.leaves: list[Leaf] = []
        self.node = self._node(value, place, 0)
        if len(self.leaves) > MOST_MODELS:
            self._wrong(place, f"{len(self.leaves)} models found, at most {MOST_MODELS} expected")

    def _node(self, value: Any, place: Place, depth: int) -> Node | None:
        if depth > DEEPEST:
            self._wrong(place, f"at most {DEEPEST} nodes inside each other expected")
            return None
        if isinstance(value, str):
            return self._leaf(value, place)
        if not isinstance(value, dict):
            self._wrong(place, _FORM)
            return None
        kinds = [kind for kind in _KEYS if kind in value]
        if len(kinds) != 1:
            found = " and ".join(kinds) or ", ".join(value) or "nothing"
            self._wrong(place, f"{found} found, one of {', '.join(_KEYS)} expected", _meant(value, _KEYS))
            return None
        kind = kinds[0]
        self._check_keys(value, (kind, *_KEYS[kind]), place)
        read = {"average": self._average, "vote": self._vote, "switch": self._switch, "sequence": self._sequence}[kind]
        return read(value, place, depth + 1)

    def _leaf(self, value: str, place: Place) -> Leaf | None:
        found = _LEAF.fullmatch(value)
        if found is None:
            self._wrong(place, f"{value!r:.80} found, {_FORM}")
            return None
        leaf = Leaf(found[1], found[2], place)
        self.leaves.append(leaf)
        return leaf

    def _average(self, value: dict[str, Any], place: Place, depth: int) -> Average | None:
        nodes = self._nodes(value["average"], (*place, "average"), depth)
        given = value.get("weights", [1.0] * len(nodes or ()))
        if not isinstance(given, list) or not all(_is_number(one) and one > 0 for one in given):
            self._wrong((*place, "weights"), "a list of numbers greater than 0 expected")
            return None
        if isinstance(value["average"], list) and len(given) != len(value["average"]):
            self._wrong((*place, "weights"), f"{len(given)} weights found for {len(value['average'])} nodes")
            return None
        return None if nodes is None else Average(nodes, tuple(float(one) for one in given))

    def _vote(self, value: dict[str, Any], place: Place, depth: int) -> Vote | None:
        nodes = self._nodes(value["vote"], (*place, "vote"), depth)
        threshold = value.get("threshold")
        if threshold is None or not _is_number(threshold):
            self._wrong((*place, "threshold"), "a number expected: nodes that score so much or more say yes")
            return None
        return None if nodes is None else Vote(nodes, float(threshold))

    def _sequence(self, value: dict[str, Any], place: Place, depth: int) -> Sequence | None:
        nodes = self._nodes(value["sequence"], (*place, "sequence"), depth)
        column = value.get("as")
        if not isinstance(column, str) or not column:
            self._wrong((*place, "as"), "the name expected under which the next node takes the score")
            return None
        return None if nodes is None else Sequence(nodes, column, place)

    def _switch(self, value: dict[str, Any], place: Place, depth: int) -> Switch | None:
        place = (*place, "switch")
        said = value["switch"]
        if not isinstance(said, dict):
            self._wrong(place, f"a mapping with {', '.join(_IN_SWITCH)} expected")
            return None
        self._check_keys(said, _IN_SWITCH, place)
        cases = said.get("cases")
        if not isinstance(cases, dict) or not cases:
            self._wrong((*place, "cases"), "a mapping from values to nodes expected")
            cases = {}
        if not isinstance(said.get("field"), str) or not said["field"]:
            self._wrong((*place, "field"), "the name of an input expected")
        nodes = {name: self._node(one, (*place, "cases", name), depth) for name, one in cases.items()}
        default = self._node(said["default"], (*place, "default"), depth) if "default" in said else None
        whole = {name: node for name, node in nodes.items() if node is not None}
        complete = whole and len(whole) == len(nodes) and ("default" not in said or default is not None)
        return Switch(said["field"], whole, default, place) if complete and isinstance(said.get("field"), str) else None

    def _nodes(self, value: Any, place: Place, depth: int) -> tuple[Node, ...] | None:
        if not isinstance(value, list) or not value:
            self._wrong(place, "a list of nodes expected")
            return None
        nodes = [self._node(one, (*place, index), depth) for index, one in enumerate(value)]
        whole = tuple(node for node in nodes if node is not None)
        return whole if len(whole) == len(nodes) else None

    def _check_keys(self, value: Mapping[str, Any], known: tuple[str, ...], place: Place) -> None:
        for key in value:
            if key not in known:
                message = f"unknown key; {', '.join(known)} expected"
                self.wrong.append(Wrong((*place, key), message, _meant([key], known), at_key=True))

    def _wrong(self, place: Place, message: str, suggestion: str | None = None) -> None:
        self.wrong.append(Wrong(place, message, suggestion))


def inner(node: Node) -> tuple[Node, ...]:
    """The nodes right below it."""
    if isinstance(node, Leaf):
        return ()
    if isinstance(node, Switch):
        return (*node.cases.values(), *([node.default] if node.default is not None else []))
    return node.nodes


def leaves(node: Node) -> Iterator[Leaf]:
    """All models below, as often as they are named."""
    if isinstance(node, Leaf):
        yield node
    for one in inner(node):
        yield from leaves(one)


def resolved(node: Node, versions: Mapping[str, int]) -> Node:
    """The same graph of versions only. versions: by leaf as text."""
    if isinstance(node, Leaf):
        return replace(node, which=str(versions[str(node)]))
    if isinstance(node, Switch):
        default = None if node.default is None else resolved(node.default, versions)
        return replace(node, cases={name: resolved(one, versions) for name, one in node.cases.items()}, default=default)
    return replace(node, nodes=tuple(resolved(one, versions) for one in node.nodes))


def as_data(node: Node) -> Any:
    """As the package's options keep it."""
    if isinstance(node, Leaf):
        return str(node)
    if isinstance(node, Switch):
        cases = {name: as_data(one) for name, one in node.cases.items()}
        default = None if node.default is None else as_data(node.default)
        return {"kind": "switch", "field": node.field, "cases": cases, "default": default}
    nodes = [as_data(one) for one in node.nodes]
    if isinstance(node, Average):
        return {"kind": "average", "nodes": nodes, "weights": list(node.weights)}
    if isinstance(node, Vote):
        return {"kind": "vote", "nodes": nodes, "threshold": node.threshold}
    return {"kind": "sequence", "nodes": nodes, "column": node.column}


def described(node: Node) -> str:
    """`average(a@1, b@2)`, for people."""
    if isinstance(node, Leaf):
        return str(node)
    if isinstance(node, Switch):
        cases = [f"{name}: {described(one)}" for name, one in node.cases.items()]
        return f"switch on {node.field}({', '.join([*cases, *([f'else {described(node.default)}'] if node.default else [])])})"
    return f"{type(node).__name__.lower()}({', '.join(described(one) for one in node.nodes)})"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= _LARGEST and math.isfinite(value)


_LARGEST = 1e30  # sums of weights and of scores stay finite


def _meant(found: Any, known: Any) -> str | None:
    return next((close[0] for one in found if (close := difflib.get_close_matches(str(one), list(known), 1))), None)
