"""The graph of an exported program, looked through word by word: does it compute with tensors, and do nothing else?

PyTorch makes Python of it: names become variables, expressions of sizes and guards are evaluated as code, targets are looked up
in PyTorch itself. So every text in the graph must be of a kind that is known to be harmless in its place. What is only of use to
people (where in whose source a node came from) is taken out: it would make the bytes depend on the machine.
"""

from __future__ import annotations

import ast
import json
import re
from keyword import iskeyword
from typing import Any

import msgspec

from lockgate.boundary.programs.operators import is_allowed
from lockgate.kernel.errors import Invalid, Refused

_WORD = re.compile(r"[A-Za-z0-9_.+]{0,200}")
_SYMBOLIC = re.compile(
    "Add|CeilToInt|CleanDiv|Equality|FloorDiv|FloorToInt|GreaterThan|Integer|LessThan|Max|Min|Mod|Mul|PythonMod|Rational|"
    "StrictGreaterThan|StrictLessThan|Symbol|Unequality"
)
_ASSUMPTIONS = frozenset({"positive", "integer", "nonnegative", "nonzero", "real"})
_NUMBERS = frozenset({"Infinity", "-Infinity", "NaN"})  # which JSON has not
_TREES = frozenset({None, "builtins.tuple", "builtins.list", "builtins.dict"})
_LONGEST_NUMBER = 2**63
# Pictures of other graphs, objects of C++, and Python that a handwritten kernel brings along.
_FORBIDDEN = frozenset({"as_graph", "as_custom_obj", "as_operator", "as_opaque", "as_script_object"})
_HINT = "Write the module with PyTorch's own tensor operations, and export it anew."


def cleaned(content: bytes) -> bytes:
    """The graph without what is for people only, and without guards, which are code that looks at sizes once more.

    The same bytes for the same computation.

    Raises:
        Invalid: it is no graph.
    """
    graph = _parsed(content)
    graph["guards_code"] = []
    return msgspec.json.encode(_without_notes(graph), order="deterministic")


def check_graph(content: bytes) -> None:
    """Raises Refused if the graph may do anything but compute with tensors; Invalid if it is no graph."""
    try:
        _check(_parsed(content), "graph")
    except (KeyError, RecursionError, TypeError, ValueError) as error:
        raise Invalid(f"this is no graph of an exported program: {type(error).__name__}: {error}", hint=_HINT) from error


def _parsed(content: bytes) -> dict[str, Any]:
    try:
        return msgspec.json.decode(content, type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError) as error:
        raise Invalid(f"this is no graph of an exported program: {error}", hint=_HINT) from error


def _without_notes(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: {} if key == "metadata" else _without_notes(inner) for key, inner in value.items()}
    return [_without_notes(inner) for inner in value] if isinstance(value, list) else value


def _check(value: Any, key: str) -> None:
    if key in _FORBIDDEN:
        raise Refused(f"the program holds {key.removeprefix('as_')}, which may be code", hint=_HINT)
    if key in _SPECIAL:
        _SPECIAL[key](value)
    elif isinstance(value, dict):
        for name, inner in value.items():
            _check_word(name, "name")
            _check(inner, name)
    elif isinstance(value, list):
        for inner in value:
            _check(inner, key)
    elif isinstance(value, str) and value not in _NUMBERS:
        _check_word(value, key)


def _check_word(text: str, key: str) -> None:
    if not _WORD.fullmatch(text) or any(part.startswith("__") or iskeyword(part) for part in text.split(".")):
        raise Refused(f"{text[:100]!r} found as {key} in the program, a plain name expected", hint=_HINT)


def _check_variable(value: Any) -> None:
    """These become variables of a Python function."""
    if value is not None and (not isinstance(value, str) or (value and not value.isidentifier())):
        raise Refused(f"{str(value)[:100]!r} found as a name in the program, an identifier expected", hint=_HINT)
    _check_word(value or "", "name")


def _check_variables(value: Any) -> None:
    for name in value or ():
        _check_variable(name)


def _check_target(target: Any) -> None:
    if not isinstance(target, str) or not is_allowed(target):
        raise Refused(
            f"the program calls {str(target)[:100]!r}, which is none of the tensor operations that are allowed", hint=_HINT
        )


def _check_empty(value: Any) -> None:
    if value:
        raise Refused(f"{str(value)[:100]} found in the program where nothing is expected: it would be evaluated", hint=_HINT)


def _check_text(value: Any) -> None:
    """An argument of an operation, such as the mode of a rounding: never evaluated."""
    if not isinstance(value, str):
        raise TypeError("text expected")


def _check_expression(value: Any) -> None:
    """What a size is computed by, as SymPy writes it: SymPy reads it with `eval`."""
    try:
        _check_symbolic(ast.parse(value, mode="eval").body)
    except (Refused, SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise Refused(f"the size {str(value)[:100]!r} in the program is no plain expression", hint=_HINT) from error


def _check_symbolic(node: ast.AST) -> None:
    match node:
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=keywords) if _SYMBOLIC.fullmatch(name):
            for argument in arguments:
                _check_symbolic(argument)
            if any(word.arg not in _ASSUMPTIONS or not isinstance(word.value, ast.Constant) for word in keywords):
                raise Refused("an assumption")
        case ast.Constant(value=str(text)) if text.isidentifier() and not iskeyword(text) and "__" not in text:
            pass
        case ast.Constant(value=bool() | int() as number) if abs(number) < _LONGEST_NUMBER:
            pass
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int())):
            pass
        case _:
            raise Refused("something else")


def _check_tree(value: Any) -> None:
    """How inputs and outputs are nested: tuples, lists and dictionaries of texts."""
    version, tree = json.loads(value)
    if version != 1:
        raise Refused(f"nesting of version {version} found, 1 expected", hint="Upgrade lockgate.")
    _check_nesting(tree)


def _check_nesting(tree: Any) -> None:
    kind = tree["type"]
    if kind not in _TREES:
        raise Refused(
            f"inputs or outputs are of type {str(kind)[:100]!r}; tuples, lists and dictionaries are allowed", hint=_HINT
        )
    for key in json.loads(tree["context"] or "null") or () if kind == "builtins.dict" else ():
        _check_word(key, "key")
    for child in tree["children_spec"]:
        _check_nesting(child)


_SPECIAL = {
    "metadata": _check_empty,
    "guards_code": _check_empty,
    "custom_obj_values": _check_empty,
    "treespec_namedtuple_fields": _check_empty,
    "target": _check_target,
    "expr_str": _check_expression,
    "as_string": _check_text,
    "in_spec": _check_tree,
    "out_spec": _check_tree,
    "name": _check_variable,
    "forward_arg_names": _check_variables,
}
