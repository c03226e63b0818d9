"""The project's own Python modules, parsed and never run."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from lockgate.kernel.errors import Fault, InvalidInput


@dataclass(frozen=True, slots=True)
class Module:
    """`package` is what its relative imports start from; `file` is relative to the project's folder."""

    name: str
    package: str
    file: str
    tree: ast.Module


@dataclass(slots=True)
class Modules:
    """Finds modules by name in the folders that are on a step's `sys.path`: the pipeline's own and the project's.

    read: a file's text by its path in the project's folder, None where there is no such file.
    """

    roots: tuple[str, ...]
    read: Callable[[str], str | None]
    _found: dict[str, Module | None] = field(default_factory=dict)

    def find(self, name: str) -> Module | None:
        """The project's module of this name; None for everything that comes from elsewhere.

        Raises:
            InvalidInput: the file is no Python.
        """
        if name not in self._found:
            self._found[name] = self._look_for(name) if name else None
        return self._found[name]

    def _look_for(self, name: str) -> Module | None:
        below = name.replace(".", "/")
        for root in self.roots:
            for file, is_package in ((f"{below}/__init__.py", True), (f"{below}.py", False)):
                path = str(PurePosixPath(root, file))
                if (text := self.read(path)) is not None:
                    return Module(name, name if is_package else name.rpartition(".")[0], path, _parsed(text, path))
        return None


def open_modules(pipeline: str, read: Callable[[str], str | None]) -> tuple[Modules, Module]:
    """The modules of a project, and the one that the project file names as its pipeline.

    Raises:
        InvalidInput: there is no such file, it is no Python, or Python has a module of its own of this name.
    """
    file = PurePosixPath(pipeline)
    if file.stem in sys.stdlib_module_names:
        raise InvalidInput(pipeline, [Fault("", f"Python itself has a module {file.stem!r}: another name expected", pipeline)])
    modules = Modules(tuple(dict.fromkeys((str(file.parent), "."))), read)
    module = modules.find(file.stem)
    if module is None:
        raise InvalidInput(pipeline, [Fault("", "there is no such file", pipeline)])
    return modules, module


def absolute(module: Module, node: ast.ImportFrom) -> str:
    """The full name of the module that an import statement names."""
    if not node.level:
        return node.module or ""
    package = module.package.split(".") if module.package else []
    base = package[: len(package) - node.level + 1]
    return ".".join([*base, *([node.module] if node.module else [])])


def _parsed(text: str, file: str) -> ast.Module:
    try:
        return ast.parse(text, file)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = error.lineno if isinstance(error, SyntaxError) else None
        message = error.msg if isinstance(error, SyntaxError) else str(error) or "nested too deeply"
        raise InvalidInput(file, [Fault("", f"no Python: {message}", file, line)]) from None
