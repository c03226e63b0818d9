"""Protobuf messages made from a `.proto` file when they are first needed: no generated code has to fit the library's version.

As much of the language is read as our own files use: proto3 with messages, enums, maps, oneofs and unary calls. The messages
live in a pool of their own: a client of the same protocol in the same process has its own under the same names.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, NamedTuple

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_TOKEN = re.compile(r'//[^\n]*|\s+|("[^"]*"|[\w.]+|[{}()<>,;=])')
_FIELD = descriptor_pb2.FieldDescriptorProto
_SCALARS = {
    name: getattr(_FIELD, f"TYPE_{name.upper()}")
    for name in ("bool", "int32", "int64", "uint32", "uint64", "float", "double", "string", "bytes")
}


class Method(NamedTuple):
    """Classes of messages."""

    request: Any
    answer: Any


class Schema:
    """The messages of one file by their names, and the methods of its service by their paths.

    Raises:
        ValueError: the file says something that is not read here.
    """

    def __init__(self, path: Path) -> None:
        file, methods = _Reader(path).file()
        pool = descriptor_pool.DescriptorPool()
        pool.Add(file)
        self._messages = {
            one.name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{file.package}.{one.name}"))
            for one in file.message_type
        }
        self._pool = pool  # the messages live as long as it does
        self.service = f"{file.package}.{file.service[0].name}" if file.service else ""
        self.methods = {
            f"/{self.service}/{name}": Method(self[request], self[answer]) for name, (request, answer) in methods.items()
        }

    def __getitem__(self, name: str) -> Any:
        return self._messages[name]


class _Reader:
    def __init__(self, path: Path) -> None:
        self._path = path
        text = path.read_text()
        self._tokens = [match[1] for match in _TOKEN.finditer(text) if match[1]]
        self._methods: dict[str, tuple[str, str]] = {}
        if (strange := _TOKEN.sub("", text).strip()) != "":
            raise ValueError(f"{path.name}: {strange[:20]!r} is not read here")
        self._tokens.reverse()

    def file(self) -> tuple[Any, dict[str, tuple[str, str]]]:
        """The file's descriptor, and the names of each method's request and answer."""
        file = descriptor_pb2.FileDescriptorProto(name=self._path.name, syntax="proto3")
        while self._tokens:
            word = self._next()
            if word == "syntax":
                self._expect("=", '"proto3"', ";")
            elif word == "package":
                file.package = self._next()
                self._expect(";")
            elif word == "message":
                self._message(file.message_type.add(name=self._next()))
            elif word == "service":
                self._service(file.service.add(name=self._next()))
            else:
                raise ValueError(f"{self._path.name}: {word!r} is not read here")
        return file, self._methods

    def _service(self, service: Any) -> None:
        self._expect("{")
        while (word := self._next()) != "}":
            if word != "rpc":
                raise ValueError(f"{self._path.name}: {word!r} found in {service.name}, rpc expected")
            name = self._next()
            self._expect("(")
            request = self._next()
            self._expect(")", "returns", "(")
            self._methods[name] = request, self._next()
            self._expect(")", ";")

    def _message(self, message: Any) -> None:
        self._expect("{")
        while (word := self._next()) != "}":
            if word == "message":
                self._message(message.nested_type.add(name=self._next()))
            elif word == "enum":
                self._enum(message.enum_type.add(name=self._next()))
            elif word == "oneof":
                self._oneof(message)
            elif word == "map":
                self._map(message)
            elif word == "repeated":
                self._field(message, self._next(), label=_FIELD.LABEL_REPEATED)
            else:
                self._field(message, word)

    def _enum(self, enum: Any) -> None:
        self._expect("{")
        while (name := self._next()) != "}":
            self._expect("=")
            enum.value.add(name=name, number=int(self._next()))
            self._expect(";")

    def _oneof(self, message: Any) -> None:
        index = len(message.oneof_decl)
        message.oneof_decl.add(name=self._next())
        self._expect("{")
        while (word := self._next()) != "}":
            self._field(message, word).oneof_index = index

    def _map(self, message: Any) -> None:
        """On the wire a map is a repeated message of key and value, whose name the protocol buffers' rules derive."""
        self._expect("<")
        key = self._next()
        self._expect(",")
        value = self._next()
        self._expect(">")
        entry = message.nested_type.add(name=f"{self._tokens[-1].title().replace('_', '')}Entry")
        entry.options.map_entry = True
        _typed(entry.field.add(name="key", number=1, label=_FIELD.LABEL_OPTIONAL), key)
        _typed(entry.field.add(name="value", number=2, label=_FIELD.LABEL_OPTIONAL), value)
        self._field(message, entry.name, label=_FIELD.LABEL_REPEATED)

    def _field(self, message: Any, kind: str, label: int = _FIELD.LABEL_OPTIONAL) -> Any:
        name = self._next()
        self._expect("=")
        field = _typed(message.field.add(name=name, number=int(self._next()), label=label), kind)
        self._expect(";")
        return field

    def _next(self) -> str:
        return self._tokens.pop()

    def _expect(self, *words: str) -> None:
        for word in words:
            if (found := self._next()) != word:
                raise ValueError(f"{self._path.name}: {found!r} found, {word!r} expected")


def _typed(field: Any, kind: str) -> Any:
    """Whether a name is a message's or an enum's is found out when the pool resolves it."""
    if kind in _SCALARS:
        field.type = _SCALARS[kind]
    else:
        field.type_name = kind
    return field
