"""What `@step(...)` says, read from the source."""

from __future__ import annotations

import ast
import difflib
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

from lockgate.kernel.errors import Fault
from lockgate.kernel.quantities import parse_duration

LONGEST = 7 * 86400.0
MOST_RETRIES = 10


@dataclass(frozen=True, slots=True)
class Options:
    """timeout: seconds. See `lockgate.step`."""

    timeout: float = 3600.0
    retries: int = 0
    cache: bool = True
    mutex: str | None = None


_EXPECTED = {
    "timeout": f"seconds or a duration such as '30m', up to {LONGEST / 86400:g} days",
    "retries": f"a number from 0 to {MOST_RETRIES}",
    "cache": "True or False",
    "mutex": "a word",
}


def is_step_decorator(node: ast.expr) -> bool:
    """`@step`, `@step(…)`, `@lockgate.step(…)`."""
    callee = node.func if isinstance(node, ast.Call) else node
    return isinstance(callee, ast.Name | ast.Attribute) and (callee.id if isinstance(callee, ast.Name) else callee.attr) == "step"


def read_options(function: ast.FunctionDef, file: str) -> tuple[Options, list[Fault]]:
    values: dict[str, Any] = {}
    faults: list[Fault] = []
    for call in _calls(function):
        if call.args:
            faults.append(Fault(function.name, "@step takes named arguments only", file, call.lineno))
        for keyword in call.keywords:
            value, fault = _option(function.name, keyword, file)
            if fault:
                faults.append(fault)
            else:
                values[str(keyword.arg)] = value
    return Options(**values), faults


def _calls(function: ast.FunctionDef) -> Iterator[ast.Call]:
    for decorator in function.decorator_list:
        if is_step_decorator(decorator) and isinstance(decorator, ast.Call):
            yield decorator


def _option(step: str, keyword: ast.keyword, file: str) -> tuple[Any, Fault | None]:
    known = [field.name for field in fields(Options)]
    name = keyword.arg or "**"
    line = keyword.value.lineno
    if name not in known:
        close = difflib.get_close_matches(name, known, 1)
        message = f"@step knows no {name!r}; {', '.join(known)} expected"
        return None, Fault(step, message, file, line, close[0] if close else None)
    try:
        return _value(name, ast.literal_eval(keyword.value)), None
    except (ValueError, TypeError):
        found = ast.unparse(keyword.value)
        return None, Fault(step, f"@step({name}=…): {_EXPECTED[name]} expected, written out; {found} found", file, line)


def _value(name: str, value: Any) -> Any:
    """The option's value; a time-out in seconds.

    Raises:
        ValueError: the option cannot have this value.
    """
    if name == "timeout" and isinstance(value, str):
        value = parse_duration(value)
    if not _fits(name, value):
        raise ValueError(name)
    return float(value) if name == "timeout" else value


def _fits(name: str, value: Any) -> bool:
    if isinstance(value, bool) or name == "cache":
        return name == "cache" and isinstance(value, bool)
    if name == "timeout":
        return isinstance(value, int | float) and 0 < value <= LONGEST
    if name == "retries":
        return isinstance(value, int) and 0 <= value <= MOST_RETRIES
    return value is None or (isinstance(value, str) and bool(value))
