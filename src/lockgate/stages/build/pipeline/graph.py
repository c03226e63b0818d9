"""The graph of a pipeline, from the names of its functions and of their parameters. No user code runs.

A step is a public function at the top level of the pipeline's file, or one that it imports by name from another module of the
project and that another step asks for. A parameter names a step, data or a parameter of the project file; one that names nothing
and has a default keeps its default. Functions that begin with `_` are the steps' own business.
"""

from __future__ import annotations

import ast
import difflib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

from lockgate.kernel.errors import Fault, InvalidInput
from lockgate.stages.build.pipeline.modules import Module, Modules, absolute
from lockgate.stages.build.pipeline.options import Options, read_options

MODEL, EVALUATION = "model", "evaluation"
REQUIRED = {
    MODEL: "def model(split): …, which returns the fitted candidate",
    EVALUATION: "def evaluation(model, split): …, which returns one row for each held-out example",
}


@dataclass(frozen=True, slots=True)
class Step:
    """`asks` are parameters in their order, each the name of a step, of data or of a parameter of the project."""

    name: str
    module: str
    function: str
    asks: tuple[str, ...]
    options: Options
    file: str
    line: int


@dataclass(frozen=True, slots=True)
class Graph:
    """`steps` stand in an order in which each comes after those that it asks for."""

    steps: Mapping[str, Step]
    data: frozenset[str]  # those that are asked for
    params: frozenset[str]

    def inputs(self, step: Step) -> list[str]:
        """The steps and data that it asks for."""
        return [name for name in step.asks if name not in self.params]


@dataclass(frozen=True, slots=True)
class _Found:
    """A function that is or could be a step."""

    name: str
    module: Module
    node: ast.FunctionDef


def read_graph(modules: Modules, pipeline: Module, data: Collection[str], params: Collection[str]) -> Graph:
    """The graph of the pipeline.

    Raises:
        InvalidInput: with everything that is wrong with it.
    """
    own, faults = _own_functions(pipeline)
    found = _with_imported(own, modules, pipeline)
    known = {*found, *data, *params}
    steps: dict[str, Step] = {}
    for one in found.values():
        step, of_step = _step(one, known)
        steps[one.name] = step
        faults += of_step
    faults += _shadowing(found.values(), data, params)
    faults += _missing(steps, pipeline)
    order, cycle = _order(steps)
    if faults or cycle:
        raise InvalidInput(pipeline.file, faults + cycle, hint=f"Change {pipeline.file} and try again.")
    asked = {name for step in steps.values() for name in step.asks}
    return Graph({name: steps[name] for name in order}, frozenset(asked & set(data)), frozenset(asked & set(params)))


def _own_functions(pipeline: Module) -> tuple[dict[str, _Found], list[Fault]]:
    found: dict[str, _Found] = {}
    faults: list[Fault] = []
    for node in pipeline.tree.body:
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or node.name.startswith("_"):
            continue
        if isinstance(node, ast.AsyncFunctionDef):
            faults.append(
                Fault(node.name, "a step is a plain function: `def` expected, `async def` found", pipeline.file, node.lineno)
            )
        elif node.name in found:
            faults.append(
                Fault(node.name, f"defined twice, first on line {found[node.name].node.lineno}", pipeline.file, node.lineno)
            )
        else:
            found[node.name] = _Found(node.name, pipeline, node)
    return found, faults


def _with_imported(own: dict[str, _Found], modules: Modules, pipeline: Module) -> dict[str, _Found]:
    """Add the imported functions that steps ask for, and those that these ask for in turn."""
    offered = _offered(modules, pipeline)
    found = dict(own)
    wanted = [*REQUIRED, *(name for one in own.values() for name in _parameter_names(one.node))]
    while wanted:
        name = wanted.pop()
        if name in offered and name not in found:
            found[name] = offered[name]
            wanted += _parameter_names(offered[name].node)
    return found


def _offered(modules: Modules, pipeline: Module) -> dict[str, _Found]:
    """Functions of other modules of the project that the pipeline's file imports by name, under the name they have there."""
    offered: dict[str, _Found] = {}
    for node in pipeline.tree.body:
        if not isinstance(node, ast.ImportFrom) or (module := modules.find(absolute(pipeline, node))) is None:
            continue
        functions = {one.name: one for one in module.tree.body if isinstance(one, ast.FunctionDef)}
        for alias in node.names:
            if alias.name in functions:
                name = alias.asname or alias.name
                offered[name] = _Found(name, module, functions[alias.name])
    return offered


def _parameter_names(node: ast.FunctionDef) -> list[str]:
    return [one.arg for one in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]


def _optional_names(node: ast.FunctionDef) -> set[str]:
    positional = [*node.args.posonlyargs, *node.args.args]
    with_default = positional[len(positional) - len(node.args.defaults) :] if node.args.defaults else []
    by_name = [one for one, default in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True) if default is not None]
    return {one.arg for one in (*with_default, *by_name)}


def _step(one: _Found, known: set[str]) -> tuple[Step, list[Fault]]:
    node, file = one.node, one.module.file
    options, faults = read_options(node, file)
    optional = _optional_names(node)
    asks = [name for name in _parameter_names(node) if name in known or name not in optional]
    faults += [_unknown(one, name, known - {one.name}) for name in asks if name not in known]
    if node.args.posonlyargs or node.args.vararg or node.args.kwarg:
        message = "parameters by name expected: `/`, `*args` and `**kwargs` name nothing that could be given"
        faults.append(Fault(one.name, message, file, node.lineno))
    return Step(one.name, one.module.name, node.name, tuple(asks), options, file, node.lineno), faults


def _unknown(one: _Found, name: str, known: set[str]) -> Fault:
    close = difflib.get_close_matches(name, sorted(known), 1)
    message = f"parameter {name!r} names no step, data or parameter; {', '.join(sorted(known))} expected"
    if not close:
        message += f" (a helper that is no step begins with an underscore: _{one.name})"
    return Fault(one.name, message, one.module.file, one.node.lineno, close[0] if close else None)


def _shadowing(found: Iterable[_Found], data: Collection[str], params: Collection[str]) -> list[Fault]:
    faults = []
    for one in found:
        for kind, names in (("data", data), ("parameter", params)):
            if one.name in names:
                message = f"is a step here and the name of a {kind} in the project file: who asks for it could mean either"
                faults.append(Fault(one.name, message.replace("a data", "data"), one.module.file, one.node.lineno))
    return faults


def _missing(steps: Mapping[str, Step], pipeline: Module) -> list[Fault]:
    faults = []
    for name, form in REQUIRED.items():
        if name not in steps:
            close = difflib.get_close_matches(name, steps, 1)
            meant = f"; {close[0]!r} on line {steps[close[0]].line} looks like it" if close else ""
            faults.append(Fault(name, f"this step is missing: {form} expected{meant}", pipeline.file))
    return faults


def _order(steps: Mapping[str, Step]) -> tuple[list[str], list[Fault]]:
    """Steps after those they ask for, otherwise in the order of the file; or the first cycle that is found."""
    sorter = TopologicalSorter({name: [one for one in step.asks if one in steps] for name, step in steps.items()})
    try:
        return list(sorter.static_order()), []
    except CycleError as error:
        around = list(reversed(error.args[1]))
        first = steps[around[0]]
        message = f"steps ask for each other in a circle: {' → '.join(around)} (an arrow reads: asks for)"
        return [], [Fault(first.name, message, first.file, first.line)]
