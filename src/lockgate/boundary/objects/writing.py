"""From objects to bytes."""

from __future__ import annotations

import functools
import math
import random
import types
from base64 import b64encode
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable, Mapping
from copyreg import __newobj__  # type: ignore[attr-defined]
from typing import Any

import msgspec
import numpy as np

from lockgate.boundary.objects import FORMAT, NUMERIC
from lockgate.boundary.objects.vocabulary import Vocabulary
from lockgate.kernel.errors import Refused

_SMALLEST, _LARGEST = -(2**63), 2**63 - 1
_DEEPEST = 20  # tuples in tuples

_FUNCTIONS = (types.FunctionType, types.BuiltinFunctionType)


def encode(root: Any, vocabulary: Vocabulary) -> bytes:
    """The object and all that it holds.

    Raises:
        Refused: something in it may not be named, or is of a kind that cannot be kept; the message names its type.
    """
    writer = _Writer(vocabulary)
    value = writer.value(root)
    return msgspec.json.encode({"format": FORMAT, "root": value, "nodes": writer.nodes()})


class _Writer:
    """Numbers objects as they are met, breadth first, so that deep webs need no deep stack."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._numbers: dict[int, int] = {}
        self._met: list[Any] = []  # also keeps them alive, so that an id stays one object's
        self._kinds: dict[type, Callable[[Any], list[Any]]] = {
            list: lambda one: ["list", self._values(one)],
            dict: lambda one: ["dict", self._pairs(one)],
            OrderedDict: lambda one: ["ordered", self._pairs(one)],
            Counter: lambda one: ["counter", self._pairs(one)],
            defaultdict: lambda one: ["default", self.value(one.default_factory), self._pairs(one)],
            set: lambda one: ["set", self._sorted(one)],
            deque: lambda one: ["deque", one.maxlen, self._values(one)],
            functools.partial: lambda one: ["partial", self.value(one.func), self._values(one.args), self._pairs(one.keywords)],
            types.MethodType: lambda one: ["method", self.value(one.__self__), one.__name__],
            random.Random: _random_node,
            np.ndarray: _array_node,
            np.random.RandomState: lambda one: ["random_state", self.value(one.get_state(legacy=False))],
            np.random.Generator: lambda one: ["generator", self.value(one.bit_generator.state)],
        }

    def nodes(self) -> list[list[Any]]:
        nodes: list[list[Any]] = []
        while len(nodes) < len(self._met):  # describing one may meet others
            nodes.append(self._node(self._met[len(nodes)]))
        return nodes

    def value(self, one: Any, depth: int = 0) -> Any:
        kind = type(one)
        if one is None or kind is bool or kind is str:
            return one
        if kind is int:
            return one if _SMALLEST <= one <= _LARGEST else {"i": str(one)}
        if kind is float:
            return one if math.isfinite(one) else {"f": repr(one)}
        if kind is bytes:
            return {"b": b64encode(one).decode()}
        if kind in (tuple, frozenset):
            return self._frozen(one, depth)
        if isinstance(one, np.generic):
            return _scalar(one)
        if isinstance(one, (type, *_FUNCTIONS)):
            return {"c": self._vocabulary.name_of(one)}
        return {"n": self._number(one)}

    def _number(self, one: Any) -> int:
        number = self._numbers.setdefault(id(one), len(self._met))
        if number == len(self._met):
            self._met.append(one)
        return number

    def _frozen(self, one: Any, depth: int) -> dict[str, Any]:
        if depth > _DEEPEST:
            raise Refused(f"more than {_DEEPEST} tuples in one another cannot be kept")
        values = [self.value(item, depth + 1) for item in one]
        return {"t": values} if type(one) is tuple else {"z": _in_order(values)}

    def _values(self, items: Iterable[Any]) -> list[Any]:
        return [self.value(item) for item in items]

    def _pairs(self, items: Mapping[Any, Any]) -> list[Any]:
        return [self.value(part) for pair in items.items() for part in pair]

    def _sorted(self, items: Iterable[Any]) -> list[Any]:
        return _in_order(self._values(items))

    def _node(self, one: Any) -> list[Any]:
        describe = self._kinds.get(type(one))
        return describe(one) if describe is not None else self._instance(one)

    def _instance(self, one: Any) -> list[Any]:
        """Objects say themselves, by `__reduce_ex__`, how to make them and what fills them."""
        name = self._vocabulary.name_of(type(one))
        reduced = one.__reduce_ex__(4)
        if isinstance(reduced, str) or any(part is not None and list(part) for part in reduced[3:5]):
            raise Refused(f"{name} keeps its content in a way that cannot be kept here")
        make, arguments, *rest = reduced
        state = rest[0] if rest else None
        if make is __newobj__ and arguments[0] is type(one):
            return self._filled(["object", name, self._values(arguments[1:])], state)
        if make is type(one):
            return self._filled(["call", name, self._values(arguments)], state)
        raise Refused(f"{name} is made by {getattr(make, '__qualname__', make)}, which cannot be kept")

    def _filled(self, node: list[Any], state: Any) -> list[Any]:
        """… and attributes, slots; or a state of the object's own."""
        attributes, slots = state if _is_two_mappings(state) else (state, None)
        if all(part is None or _is_names(part) for part in (attributes, slots)):
            return [*node, self._pairs(attributes or {}), self._pairs(slots or {})]
        return [*node, self.value(state)]


def _is_two_mappings(state: Any) -> bool:
    """As objects with slots give it: attributes or None, and slots."""
    return isinstance(state, tuple) and len(state) == 2 and isinstance(state[1], dict) and isinstance(state[0], dict | None)  # noqa: PLR2004


def _is_names(part: Any) -> bool:
    return isinstance(part, dict) and all(isinstance(name, str) for name in part)


def _in_order(values: list[Any]) -> list[Any]:
    """Sets have no order of their own, and Python's changes from process to process."""
    return sorted(values, key=msgspec.json.encode)


def _scalar(one: Any) -> dict[str, Any]:
    if isinstance(one, np.str_):
        return {"u": str(one)}
    if one.dtype.kind not in NUMERIC:
        raise Refused(f"a NumPy value of type {one.dtype} cannot be kept")
    return {"s": [one.dtype.str, b64encode(one.tobytes()).decode()]}


def _array_node(one: Any) -> list[Any]:
    if one.dtype.kind not in NUMERIC:
        raise Refused(f"an array of {one.dtype} cannot be kept")
    order = "F" if one.flags.f_contiguous and not one.flags.c_contiguous else "C"  # it decides how sums are rounded
    return ["array", one.dtype.str, list(one.shape), order, b64encode(one.tobytes(order)).decode()]


def _random_node(one: random.Random) -> list[Any]:
    version, words, gauss = one.getstate()
    return ["random", version, b64encode(np.array(words, dtype="<u4").tobytes()).decode(), gauss]
