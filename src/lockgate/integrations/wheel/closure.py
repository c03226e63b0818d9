"""The modules of ours that a wheel must carry: what its entries import, and what that imports, under the wheel's own name.

A copy of its own, because two models in one program may have been packaged by different releases of Lockgate; and because a
program that asks a model needs neither its command line nor its server.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from lockgate.kernel.errors import Invalid
from lockgate.kernel.release import PACKAGE, __version__

ROOT = "lockgate"
PRIVATE = "_lockgate"


@dataclass(frozen=True, slots=True)
class Module:
    """name: with dots. path: of its file below `PACKAGE`. imports: modules of ours. libraries: top-level names of all others."""

    name: str
    path: Path
    source: str
    imports: frozenset[str]
    libraries: frozenset[str]


def modules_in(package: str) -> list[str]:
    """All modules of a package of ours, without those of its folders."""
    folder = _place(package)
    return sorted(f"{package}.{path.stem}" for path in folder.glob("*.py") if path.stem != "__init__")


def closure(entries: Iterable[str]) -> dict[str, Module]:
    """The entries, what they import, and the packages that these lie in; by name. `lockgate` itself is none of them.

    Raises:
        Invalid: one is no module, or is imported in a way that cannot be given another name.
    """
    found: dict[str, Module] = {}
    waiting = list(entries)
    while waiting:
        name = waiting.pop()
        if name != ROOT and name not in found:
            found[name] = _module(name)
            waiting += [*found[name].imports, name.rpartition(".")[0]]
    return dict(sorted(found.items()))


def carried(modules: dict[str, Module], package: str) -> dict[str, bytes]:
    """The modules as members of a wheel: below PACKAGE/_lockgate, and with imports that say so."""
    named = f"{package}.{PRIVATE}"
    about = f'"""Parts of Lockgate {__version__} that this model needs. Copyright its authors; Apache-2.0."""\n'
    members = {f"{package}/{PRIVATE}/__init__.py": about.encode()}
    for module in modules.values():
        members[f"{package}/{PRIVATE}/{module.path.as_posix()}"] = _renamed(module, named).encode()
    return members


def _module(name: str) -> Module:
    place = _place(name)
    path = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
    try:
        source = path.read_text(encoding="utf-8")
    except OSError as error:
        raise Invalid(f"there is no module {name}: {error.strerror}") from error
    imports: set[str] = set()
    libraries: set[str] = set()
    for node in _imports(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and _is_ours(node):
            imports.update(_modules_of(node))
        else:
            libraries.update(_libraries_of(node))
    if ROOT in libraries:
        raise Invalid(f"{name} imports by `import` or by dots what is ours; only `from {ROOT}.… import …` can be renamed")
    return Module(name, path.relative_to(PACKAGE), source, frozenset(imports), frozenset(libraries))


def _imports(tree: ast.Module) -> Iterator[ast.Import | ast.ImportFrom]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node


def _is_ours(node: ast.ImportFrom) -> bool:
    return node.level == 0 and (node.module or "").startswith(f"{ROOT}.")


def _libraries_of(node: ast.Import | ast.ImportFrom) -> list[str]:
    if isinstance(node, ast.ImportFrom):
        return [(node.module or ROOT).partition(".")[0] if node.level == 0 else ROOT]
    return [alias.name.partition(".")[0] for alias in node.names]


def _modules_of(node: ast.ImportFrom) -> Iterator[str]:
    """The module that is imported from, and those of its names that are modules themselves."""
    yield str(node.module)
    for alias in node.names:
        inner = _place(f"{node.module}.{alias.name}")
        if inner.is_dir() or inner.with_suffix(".py").is_file():
            yield f"{node.module}.{alias.name}"


def _renamed(module: Module, named: str) -> str:
    lines = module.source.splitlines(keepends=True)
    for node in _imports(ast.parse(module.source)):
        if isinstance(node, ast.ImportFrom) and _is_ours(node):
            lines[node.lineno - 1] = lines[node.lineno - 1].replace(f"from {ROOT}", f"from {named}", 1)
    return "".join(lines)


def _place(name: str) -> Path:
    return PACKAGE.joinpath(*name.split(".")[1:])
