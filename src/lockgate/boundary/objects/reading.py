"""From bytes to objects.

A node that holds others is first made, empty, and then filled: so circles can be closed. A node that needs others to be made (the
arguments of a call, the keys of a dictionary) has them made and filled before it. What asks for anything else is damaged or
hostile, and is refused.
"""

from __future__ import annotations

import functools
import random
import types
from base64 import b64decode
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np

from lockgate.boundary.objects import FORMAT, NUMERIC
from lockgate.boundary.objects.vocabulary import Vocabulary
from lockgate.kernel.errors import Invalid

_BIT_GENERATORS = {one.__name__: one for one in (np.random.MT19937, np.random.PCG64, np.random.PCG64DXSM)}
_HINT = "Package the model anew."


class _Document(msgspec.Struct, forbid_unknown_fields=True):
    format: str
    root: Any
    nodes: list[list[Any]]


def decode(content: bytes | memoryview, vocabulary: Vocabulary) -> Any:
    """The object that `writing.encode` was given, with all that it holds.

    Raises:
        Refused: a class or function is named that may not be. Invalid: the bytes are no such objects.
    """
    try:
        document = msgspec.json.decode(content, type=_Document)
    except (msgspec.DecodeError, RecursionError) as error:
        raise Invalid(f"these bytes are no stored objects: {error}", hint=_HINT) from error
    if document.format != FORMAT:
        raise Invalid(f"objects of format {document.format!r} found, {FORMAT!r} expected", hint="Upgrade lockgate.")
    try:
        return _Reader(document.nodes, vocabulary).root(document.root)
    except (AttributeError, IndexError, KeyError, OverflowError, RecursionError, TypeError, ValueError) as error:
        # Whatever shape the bytes have that the writer never gives, one of these says so.
        raise Invalid(f"the stored objects are damaged: {type(error).__name__}: {error}", hint=_HINT) from error


class _Reader:
    def __init__(self, nodes: list[list[Any]], vocabulary: Vocabulary) -> None:
        self._nodes = nodes
        self._vocabulary = vocabulary
        self._made: dict[int, Any] = {}
        self._begun: set[int] = set()  # being made, or filled
        self._filled: set[int] = set()
        self._makers: dict[str, Callable[..., Any]] = {
            "list": lambda *_: [],
            "dict": lambda *_: {},
            "ordered": lambda *_: OrderedDict(),
            "counter": lambda *_: Counter(),
            "default": lambda factory, _: defaultdict(self._whole(factory)),
            "set": lambda *_: set(),
            "deque": lambda longest, _: deque(maxlen=longest),
            "partial": self._partial,
            "method": self._method,
            "random": _random,
            "array": _array,
            "random_state": self._random_state,
            "generator": self._generator,
            "object": self._object,
            "call": self._call,
        }
        self._fillers: dict[str, Callable[..., None]] = {
            "list": lambda one, items: one.extend(map(self._value, items)),
            "dict": self._fill_mapping,
            "ordered": self._fill_mapping,
            "counter": self._fill_mapping,
            "default": lambda one, _, items: self._fill_mapping(one, items),
            "set": lambda one, items: one.update(map(self._whole, items)),
            "deque": lambda one, _, items: one.extend(map(self._value, items)),
            "object": self._fill_object,
            "call": self._fill_object,
        }

    def root(self, value: Any) -> Any:
        for number in reversed(range(len(self._nodes))):  # what others hold was met after them, so it is filled before them
            self._fill(number)
        return self._value(value)

    def _make(self, number: int) -> Any:
        if number not in self._made:
            kind, *parts = self._nodes[number]
            if number in self._begun:
                raise ValueError(f"node {number} of kind {kind} needs itself to be made")
            self._begun.add(number)
            self._made[number] = self._makers[kind](*parts)
            self._begun.discard(number)
        return self._made[number]

    def _fill(self, number: int) -> Any:
        one = self._make(number)
        if number not in self._filled:
            self._filled.add(number)
            kind, *parts = self._nodes[number]
            if kind in self._fillers:
                self._fillers[kind](one, *parts)
        return one

    def _value(self, value: Any) -> Any:
        if not isinstance(value, dict):
            if isinstance(value, list):
                raise TypeError("a list is no value")
            return value
        ((key, content),) = value.items()
        return self._make(content) if key == "n" else self._frozen(key, content, self._value)

    def _whole(self, value: Any) -> Any:
        """As `_value`, with everything in it filled: as what computes with it, or hashes it, needs it."""
        if not isinstance(value, dict):
            return self._value(value)
        ((key, content),) = value.items()
        return self._fill(content) if key == "n" else self._frozen(key, content, self._whole)

    def _frozen(self, key: str, content: Any, value_of: Callable[[Any], Any]) -> Any:
        if key == "t":
            return tuple(map(value_of, content))
        if key == "z":
            return frozenset(map(self._whole, content))
        if key == "c":
            return self._vocabulary.find(content)
        return _PLAIN[key](content)

    def _fill_mapping(self, one: Any, items: list[Any]) -> None:
        for key, value in _pairs(items):
            one[self._whole(key)] = self._value(value)

    def _partial(self, function: Any, arguments: list[Any], named: list[Any]) -> Any:
        keywords = {self._name(name): self._whole(value) for name, value in _pairs(named)}
        return functools.partial(self._whole(function), *map(self._whole, arguments), **keywords)

    def _method(self, owner: Any, name: str) -> Any:
        """Filled first? No: a method is often kept by the very object that it belongs to."""
        found = getattr(self._value(owner), self._name(name))
        if not isinstance(found, types.MethodType):
            raise TypeError(f"{name} is no method")
        return found

    def _random_state(self, state: Any) -> Any:
        given = self._whole(state)
        one = np.random.RandomState(_BIT_GENERATORS[given["bit_generator"]](0))
        one.set_state(given)
        return one

    def _generator(self, state: Any) -> Any:
        given = self._whole(state)
        one = np.random.Generator(_BIT_GENERATORS[given["bit_generator"]](0))
        one.bit_generator.state = given
        return one

    def _object(self, name: str, arguments: list[Any], *_: Any) -> Any:
        kind = self._class(name)
        return kind.__new__(kind, *map(self._whole, arguments))

    def _call(self, name: str, arguments: list[Any], *_: Any) -> Any:
        return self._class(name)(*map(self._whole, arguments))

    def _class(self, name: str) -> Any:
        found = self._vocabulary.find(name)
        if not isinstance(found, type):
            raise TypeError(f"{name} is no class")
        return found

    def _fill_object(self, one: Any, _name: str, _arguments: list[Any], *state: Any) -> None:
        if len(state) == 1:
            one.__setstate__(self._whole(state[0]))
            return
        attributes, slots = ({self._name(name): value for name, value in _pairs(part)} for part in state)
        if hasattr(one, "__setstate__"):
            one.__setstate__({name: self._whole(value) for name, value in attributes.items()})
        elif attributes:
            one.__dict__.update((name, self._value(value)) for name, value in attributes.items())
        for name, value in slots.items():
            setattr(one, name, self._value(value))

    def _name(self, name: Any) -> str:
        if not isinstance(name, str) or (name.startswith("__") and name.endswith("__")):
            raise ValueError(f"{name!r} found where a plain name is needed")
        return name


def _pairs(items: list[Any]) -> Any:
    return zip(items[::2], items[1::2], strict=True)


def _numbers(dtype: str, content: str) -> Any:
    kind = np.dtype(dtype)
    if kind.kind not in NUMERIC:
        raise ValueError(f"numbers of type {dtype!r}")
    return np.frombuffer(b64decode(content, validate=True), dtype=kind)


def _array(dtype: str, shape: list[int], order: Any, content: str) -> Any:
    return _numbers(dtype, content).reshape(shape, order=order).copy(order)


def _random(version: int, words: str, gauss: float | None) -> random.Random:
    one = random.Random()  # noqa: S311 - a model's own dice
    one.setstate((version, tuple(_numbers("<u4", words).tolist()), gauss))
    return one


_PLAIN: dict[str, Callable[[Any], Any]] = {
    "f": float,
    "i": int,
    "b": lambda content: b64decode(content, validate=True),
    "s": lambda content: _numbers(*content)[0],
    "u": np.str_,
}
