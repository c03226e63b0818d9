"""Everything that is known before anything runs: the project, its graph, its data, and what each task's output depends on."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lockgate.domain.data import DatasetVersion
from lockgate.kernel.digest import canonical_json, digest_json
from lockgate.kernel.errors import Fault, Invalid, InvalidInput
from lockgate.ports.source import Revision
from lockgate.project.load import FILE, Project, load
from lockgate.stages.build.pipeline.closure import Closure, Closures
from lockgate.stages.build.pipeline.fingerprint import ALWAYS, code_parts, library_parts, param_parts
from lockgate.stages.build.pipeline.graph import MODEL, Graph, read_graph
from lockgate.stages.build.pipeline.modules import open_modules
from lockgate.stages.build.pipeline.tasks import Task, TaskKind, tasks_of
from lockgate.usecases.build_world import BuildWorld

_CHECKED_WITH, _PACKAGED_WITH = ("pandera",), ("lockgate", "onnx", "skl2onnx", "skops")


@dataclass(frozen=True, slots=True)
class Prepared:
    """folder: the project's own, where its data lies. project: as read from there, or from the checkout of a commit.

    parts: for each task by key, all that its output depends on but the outputs of other tasks. libraries: that steps import.
    """

    folder: Path
    project: Project
    revision: Revision
    params: Mapping[str, Any]
    graph: Graph
    roots: tuple[str, ...]
    data: Mapping[str, DatasetVersion]
    tasks: Mapping[str, Task]
    parts: Mapping[str, Mapping[str, str]]
    libraries: tuple[str, ...]


def prepare_build(
    build: BuildWorld, folder: Path, commit: str | None = None, params: Mapping[str, Any] | None = None
) -> Prepared:
    """Read, without running any of the project's code.

    commit: build what this commit holds instead of what the folder holds; data comes from the folder all the same.
    params: in place of those of the project file.

    Raises:
        NotFound: no project file, no such commit. InvalidInput: faults in the project file, a contract or the pipeline.
    """
    folder = folder.absolute()
    project, revision = _project(build, folder, commit)
    given = _params(project, params or {})
    modules, pipeline = open_modules(project.build.pipeline, lambda file: _text(project.folder / file))
    graph = read_graph(modules, pipeline, project.build.data.keys(), given.keys())
    data = _data(build, project, folder, graph)
    timed = {name for name, contract in project.contracts.items() if contract.freshness is not None}
    tasks = tasks_of(graph, project.build.checks, timed)
    finder = Closures(modules)
    closures = {name: finder.of(step) for name, step in graph.steps.items()}
    imported = sorted({name for closure in closures.values() for name in closure.libraries})
    versions = build.libraries.versions({*imported, *ALWAYS, *_CHECKED_WITH, *_PACKAGED_WITH})
    depends = _Depends(build, project, graph, given, data, closures, versions)
    parts = {key: depends.of(task) for key, task in tasks.items()}
    libraries = tuple(name for name in imported if name in versions)
    return Prepared(folder, project, revision, given, graph, modules.roots, data, tasks, parts, libraries)


def _project(build: BuildWorld, folder: Path, commit: str | None) -> tuple[Project, Revision]:
    if commit is None:
        project = load(folder)
        besides = [data.path for data in project.build.data.values()]
        return project, build.source.revision(folder, besides)
    checkout = build.source.checkout(folder, commit)
    return load(checkout.folder), Revision(checkout.commit, checkout.author, dirty=False, email=checkout.email)


def _params(project: Project, given: Mapping[str, Any]) -> dict[str, Any]:
    known = project.build.params
    faults = []
    for name, value in given.items():
        if name not in known:
            close = difflib.get_close_matches(name, known, 1)
            expected = ", ".join(known) or "none, since the project file has no params"
            faults.append(
                Fault(f"params.{name}", f"unknown parameter; {expected} expected", suggestion=close[0] if close else None)
            )
            continue
        try:
            canonical_json(value)
        except (TypeError, ValueError):
            faults.append(Fault(f"params.{name}", f"a value that JSON can say expected, {value!r:.60} found"))
    if faults:
        raise InvalidInput("the parameters given", faults)
    return {**known, **given}


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid(f"{path} cannot be read as text: {error}") from None


def _data(build: BuildWorld, project: Project, folder: Path, graph: Graph) -> dict[str, DatasetVersion]:
    """Of the data that steps ask for."""
    found = {name: build.datasets.version(folder, name, project.build.data[name].path) for name in sorted(graph.data)}
    faults = [
        Fault(f"data.{name}.path", f"no file in {folder} matches {project.build.data[name].path}", FILE)
        for name, version in found.items()
        if version is None
    ]
    if faults:
        raise InvalidInput(FILE, faults, hint="Fetch the data first, or correct the path.")
    return {name: version for name, version in found.items() if version is not None}


@dataclass(frozen=True, slots=True)
class _Depends:
    """What each task's output depends on, as named parts."""

    build: BuildWorld
    project: Project
    graph: Graph
    params: Mapping[str, Any]
    data: Mapping[str, DatasetVersion]
    closures: Mapping[str, Closure]
    versions: Mapping[str, str]

    def of(self, task: Task) -> dict[str, str]:
        if task.kind is TaskKind.STEP:
            return self._step(task.name)
        if task.kind is TaskKind.DATA:
            return self._data(task.name)
        return self._package() if task.kind is TaskKind.PACKAGE else {}

    def _step(self, name: str) -> dict[str, str]:
        closure = self.closures[name]
        asked = [one for one in self.graph.steps[name].asks if one in self.graph.params]
        return code_parts(closure) | param_parts(asked, self.params) | library_parts(closure.libraries, self.versions)

    def _data(self, name: str) -> dict[str, str]:
        contract = self.project.contracts.get(name)
        rules = digest_json(contract.model_dump(mode="json")) if contract else "none"
        parts = {"input files": self.data[name].digest, "input contract": rules, "code checker": self.build.checker}
        return parts | library_parts(_CHECKED_WITH, self.versions)

    def _package(self) -> dict[str, str]:
        event = self.project.label_event
        judged = f"{event.event} at {event.threshold:g}" if event else "none"
        asked = digest_json(self.project.build.package.model_dump(mode="json"))
        parts = {"code packager": self.build.packager, "param judged event": judged, "param package": asked}
        return parts | library_parts({*_PACKAGED_WITH, *self.closures[MODEL].libraries}, self.versions)


def with_folder(prepared: Prepared) -> Project:
    """The project as it is to be remembered: under its own folder, also when it was read from a commit's checkout."""
    return replace(prepared.project, folder=prepared.folder)
