"""The code that a step's output depends on: its function and everything that it refers to inside the project, transitively.

Code is compared as a syntax tree without docstrings, so that comments, layout and prose change nothing. A name that could refer
to something in the project is taken to do so: the cost of a wrong guess is a run too many, never an old result for new code.
What a module does when it is imported, beyond binding names, counts for everything in it.
"""

from __future__ import annotations

import ast
import symtable
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field

from lockgate.kernel.digest import digest_bytes
from lockgate.stages.build.pipeline.graph import Step
from lockgate.stages.build.pipeline.modules import Module, Modules, absolute
from lockgate.stages.build.pipeline.options import is_step_decorator

IMPORTING = "(on import)"
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


@dataclass(frozen=True, slots=True)
class Closure:
    """code: a digest for each piece, named `module.name`. libraries: top-level names of modules from elsewhere."""

    code: dict[str, str]
    libraries: frozenset[str]


class Closures:
    """Finds closures of the steps of one project; what steps share is looked at once."""

    def __init__(self, modules: Modules) -> None:
        self._modules = modules
        self._top_levels: dict[str, _TopLevel] = {}
        self._pieces: dict[tuple[str, str], _Piece | None] = {}

    def of(self, step: Step) -> Closure:
        code: dict[str, str] = {}
        libraries: set[str] = set()
        waiting = [(step.module, step.function)]
        seen = set(waiting)
        while waiting:
            place = waiting.pop()
            if (piece := self._piece(place)) is not None:
                if piece.digest is not None:
                    code[".".join(place)] = piece.digest
                libraries |= piece.libraries
                waiting += [one for one in piece.refers if one not in seen]
                seen |= piece.refers
        return Closure(dict(sorted(code.items())), frozenset(libraries))

    def _piece(self, place: tuple[str, str]) -> _Piece | None:
        """What stands at a place (a module and a name in it); None for what is no module of the project's."""
        if place not in self._pieces:
            module = self._modules.find(place[0])
            self._pieces[place] = self._look_at(module, place[1]) if module else None
        return self._pieces[place]

    def _look_at(self, module: Module, name: str) -> _Piece:
        top = self._top_level(module)
        statements = top.effects if name == IMPORTING else top.bound.get(name, [])
        piece = _Piece(_digest(statements) if statements else None)
        piece.refers.update((parent, IMPORTING) for parent in _with_parents(module.name))
        if name == IMPORTING:
            piece.refers.update((one, IMPORTING) for one in self._imported_by(module))
        elif not statements:
            piece.refers.update(self._whole(f"{module.name}.{name}"))  # no name in it, but perhaps a module below it
        for statement in statements:
            piece.refers.update((module.name, one) for one in global_names(statement) if one in top.bound)
            self._take_imports(piece, module, statement)
        return piece

    def _take_imports(self, piece: _Piece, module: Module, statement: ast.stmt) -> None:
        for node in ast.walk(statement):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    self._import(piece, alias.name)
            elif isinstance(node, ast.ImportFrom):
                self._import_from(piece, absolute(module, node), [alias.name for alias in node.names])

    def _top_level(self, module: Module) -> _TopLevel:
        if module.name not in self._top_levels:
            self._top_levels[module.name] = _top_level(module.tree)
        return self._top_levels[module.name]

    def _imported_by(self, module: Module) -> Iterator[str]:
        """Modules of the project that are run when this one is imported."""
        for node in module.tree.body:
            if isinstance(node, ast.Import):
                yield from (one for alias in node.names for one in _with_parents(alias.name))
            elif isinstance(node, ast.ImportFrom):
                name = absolute(module, node)
                yield from _with_parents(name)
                yield from (_below(name, alias.name) for alias in node.names)  # those of them that are modules

    def _import(self, piece: _Piece, name: str) -> None:
        """`import a.b`: any of its names may be used."""
        if self._modules.find(name) is None and self._modules.find(name.partition(".")[0]) is None:
            piece.add_library(name)
        for one in _with_parents(name):
            piece.refers.update(self._whole(one))

    def _import_from(self, piece: _Piece, name: str, attributes: list[str]) -> None:
        if self._modules.find(name) is not None:
            piece.refers.update(self._whole(name) if "*" in attributes else {(name, one) for one in attributes})
            return
        below = [found for one in attributes if (found := self._whole(_below(name, one)))]  # of a folder without __init__
        piece.refers.update(*below)
        if not below:
            piece.add_library(name)

    def _whole(self, name: str) -> set[tuple[str, str]]:
        module = self._modules.find(name)
        return {(name, one) for one in (IMPORTING, *self._top_level(module).bound)} if module else set()


@dataclass(frozen=True, slots=True)
class _Piece:
    """What is bound to one name: its digest, and the places and libraries that it refers to."""

    digest: str | None
    refers: set[tuple[str, str]] = field(default_factory=set)
    libraries: set[str] = field(default_factory=set)

    def add_library(self, name: str) -> None:
        top = name.partition(".")[0]
        if top and top not in sys.stdlib_module_names:
            self.libraries.add(top)


@dataclass(slots=True)
class _TopLevel:
    """What a module binds at its top level, and what it does besides."""

    bound: dict[str, list[ast.stmt]] = field(default_factory=dict)
    effects: list[ast.stmt] = field(default_factory=list)


def global_names(statement: ast.stmt) -> set[str]:
    """The names in a statement at the top level that are looked up there: those of parameters and local variables are not."""
    found: set[str] = set()
    whole = symtable.symtable(ast.unparse(statement), "<statement>", "exec")
    found |= {symbol.get_name() for symbol in whole.get_symbols() if symbol.is_referenced()}
    waiting = list(whole.get_children())
    while waiting:
        table = waiting.pop()
        found |= {symbol.get_name() for symbol in table.get_symbols() if symbol.is_global()}
        waiting += table.get_children()
    return found


def _below(module: str, name: str) -> str:
    return f"{module}.{name}" if module else name


def _with_parents(name: str) -> list[str]:
    """`a.b.c` → a, a.b, a.b.c: all of them are imported."""
    parts = name.split(".")
    return [".".join(parts[: end + 1]) for end in range(len(parts))]


def _top_level(tree: ast.Module) -> _TopLevel:
    names = _TopLevel()
    for index, statement in enumerate(tree.body):
        if index == 0 and _is_docstring(statement):
            continue
        bound = list(_bound(statement))
        for name in bound:
            names.bound.setdefault(name, []).append(statement)
        if not _only_binds(statement):
            names.effects.append(statement)
    return names


def _bound(statement: ast.stmt) -> Iterator[str]:
    """The names that a statement at the top level can bind or change, however deep in it."""
    if isinstance(statement, _DEFINITIONS):
        yield statement.name
        return
    for node in ast.walk(statement):
        if isinstance(node, _DEFINITIONS):
            yield node.name
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield from ((alias.asname or alias.name.partition(".")[0]) for alias in node.names if alias.name != "*")
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id


def _only_binds(statement: ast.stmt) -> bool:
    """`NAME = …`, a definition or an import: nothing that others could notice without referring to its name."""
    if isinstance(statement, ast.ImportFrom):
        return all(alias.name != "*" for alias in statement.names)
    if isinstance(statement, (*_DEFINITIONS, ast.Import)):
        return True
    targets = statement.targets if isinstance(statement, ast.Assign) else []
    targets = [statement.target] if isinstance(statement, ast.AnnAssign) else targets
    return bool(targets) and all(isinstance(target, ast.Name) for target in targets)


def _is_docstring(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant) and isinstance(statement.value.value, str)
    )


def _digest(statements: list[ast.stmt]) -> str:
    """Of the trees without docstrings, `@step(…)` and places: how long a step may take does not change what it makes."""
    return digest_bytes("\n".join(_Bare().dump(statement) for statement in statements).encode())


class _Bare(ast.NodeTransformer):
    def dump(self, statement: ast.stmt) -> str:
        text = ast.unparse(statement)  # a copy to cut from: the tree itself is shared
        return ast.dump(self.visit(ast.parse(text)))

    def _definition(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> ast.AST:
        self.generic_visit(node)
        node.decorator_list = [one for one in node.decorator_list if not is_step_decorator(one)]
        if node.body and _is_docstring(node.body[0]):
            node.body = node.body[1:] or [ast.Pass()]
        return node

    visit_FunctionDef = visit_AsyncFunctionDef = visit_ClassDef = _definition  # noqa: N815 - names that ast calls
