"""A YAML file as plain values, with the line of every value.

A small YAML: no tags, anchors or aliases, each key once, and scalars as in YAML 1.2, so that `on` and `no` are words and `1e-3`
is a number.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from lockgate.kernel.errors import Fault

LARGEST = 1 << 18  # bytes: a project file is written by people
DEEPEST = 40

Path_ = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """`lines` tells where the value at a path stands, `keys` where its key does. With faults, `value` is what could be read."""

    file: str
    value: Any = None
    lines: dict[Path_, int] = field(default_factory=dict)
    keys: dict[Path_, int] = field(default_factory=dict)
    faults: tuple[Fault, ...] = ()

    def line(self, path: Path_) -> int | None:
        """The line of the value at `path`, or of the nearest thing around it that is there."""
        while path not in self.lines and path:
            path = path[:-1]
        return self.lines.get(path)


def read_document(path: Path, file: str) -> Document:
    """The document in `path`; `file` is how faults call it. Never raises for what stands in it."""
    try:
        content = path.read_bytes()
    except OSError as error:
        return Document(file, faults=(Fault("", f"cannot be read: {error.strerror or error}", file),))
    if len(content) > LARGEST:
        return Document(file, faults=(Fault("", f"{len(content)} bytes found, at most {LARGEST} expected", file),))
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return Document(file, faults=(Fault("", f"UTF-8 expected, byte 0x{content[error.start]:02x} found", file, line),))
    return parse_document(text, file)


def parse_document(text: str, file: str) -> Document:
    try:
        fault = _depth_fault(text, file)
        node = None if fault else yaml.compose(text, _Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        fault = Fault("", f"no YAML: {error.problem or error.context}", file, mark.line + 1 if mark else None)
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        fault = Fault("", f"no YAML: character U+{ord(text[error.position]):04X} has no place in it", file, line)
    except (ValueError, OverflowError) as error:  # escapes and directives with numbers that no character or version has
        fault = Fault("", f"no YAML: {error}", file)
    if fault:
        return Document(file, faults=(fault,))
    reading = _Reading(file)
    value = reading.read(node, ()) if node is not None else None
    return Document(file, value, reading.lines, reading.keys, tuple(reading.faults))


def _depth_fault(text: str, file: str) -> Fault | None:
    """Nodes are composed recursively and aliases can multiply: both are looked for before anything is built."""
    depth = 0
    for event in yaml.parse(text, _Loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        line = event.start_mark.line + 1 if event.start_mark else None
        anchor = getattr(event, "anchor", None)
        if depth > DEEPEST:
            return Fault("", f"at most {DEEPEST} levels of nesting expected", file, line)
        if anchor:
            return Fault("", f"anchor or alias {anchor!r} found: values are written out here", file, line)
    return None


class _Loader(yaml.SafeLoader):
    """Scalars as in YAML 1.2's core schema, without octal and hexadecimal numbers."""

    yaml_implicit_resolvers = {}  # noqa: RUF012 - PyYAML's way of saying: none of the inherited


_PREFIX = "tag:yaml.org,2002:"
_SCALARS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "null": (r"~|null|", lambda _: None),
    "bool": (r"true|false", lambda text: text == "true"),
    "int": (r"[-+]?[0-9]{1,30}", int),
    "float": (
        r"[-+]?(?:[0-9]{1,30}\.[0-9]{0,30}|\.?[0-9]{1,30})(?:[eE][-+]?[0-9]{1,5})?|[-+]?\.inf|\.nan",
        lambda text: float(text.replace(".inf", "inf").replace(".nan", "nan")),
    ),
}
for _name, (_pattern, _) in _SCALARS.items():
    _Loader.add_implicit_resolver(_PREFIX + _name, re.compile(rf"(?:{_pattern})\Z", re.ASCII), None)


class _Reading:
    """Turns nodes into values; remembers lines and collects faults on the way."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.lines: dict[Path_, int] = {}
        self.keys: dict[Path_, int] = {}
        self.faults: list[Fault] = []

    def read(self, node: yaml.Node, path: Path_) -> Any:
        self.lines[path] = node.start_mark.line + 1
        if isinstance(node, yaml.MappingNode) and self._plain(node, path, "map"):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode) and self._plain(node, path, "seq"):
            return [self.read(item, (*path, index)) for index, item in enumerate(node.value)]
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, path)
        return None

    def _mapping(self, node: yaml.MappingNode, path: Path_) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = self.read(key_node, (*path, "?")) if isinstance(key_node, yaml.ScalarNode) else None
            key = key if isinstance(key, str) or not isinstance(key_node, yaml.ScalarNode) else key_node.value
            line = key_node.start_mark.line + 1
            if key is None:
                self._fault(path, "a name expected as key", line)
            elif key in values:
                self._fault((*path, key), f"written twice, first on line {self.keys[(*path, key)]}", line)
            else:
                self.keys[(*path, key)] = line
                values[key] = self.read(value_node, (*path, key))
        return values

    def _scalar(self, node: yaml.ScalarNode, path: Path_) -> Any:
        kind = node.tag.removeprefix(_PREFIX)
        if kind in _SCALARS and re.fullmatch(_SCALARS[kind][0], node.value, re.ASCII):
            return _SCALARS[kind][1](node.value)
        if not self._plain(node, path, "str"):
            return None
        if any("\ud800" <= character <= "\udfff" for character in node.value):
            self._fault(path, "half a surrogate pair found, which no text can hold", node.start_mark.line + 1)
        return str(node.value)

    def _plain(self, node: yaml.Node, path: Path_, kind: str) -> bool:
        if node.tag == _PREFIX + kind:
            return True
        self._fault(path, f"tag {node.tag!r} found: tags have no meaning here", node.start_mark.line + 1)
        return False

    def _fault(self, path: Path_, message: str, line: int) -> None:
        self.faults.append(Fault(spell(path), message, self.file, line))


def spell(path: Path_) -> str:
    """`environments.production.steps[2]`"""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text
