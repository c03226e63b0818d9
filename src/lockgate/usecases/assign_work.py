"""A task as work for the executor: what to call, with what, for how long, and where its output goes."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path

from lockgate.ports.executor import (
    AnyWork,
    CallStep,
    Constant,
    Dataset,
    LoadData,
    PackageModel,
    Packing,
    RunCommand,
    Source,
    Value,
)
from lockgate.stages.build.pipeline.graph import EVALUATION, MODEL
from lockgate.stages.build.pipeline.tasks import Task, TaskKind
from lockgate.usecases.build_world import BuildWorld
from lockgate.usecases.prepare_build import Prepared


def work_of(task: Task, prepared: Prepared, build: BuildWorld, outputs: Mapping[str, str], log: Path, at: float) -> AnyWork:
    """outputs: digests of what the tasks that this one needs gave, by name. at: Unix seconds."""
    key, timeout = task.key, task.options.timeout
    if task.kind is TaskKind.CHECK:
        words = tuple(shlex.split(prepared.project.build.checks[task.name]))
        return RunCommand(key=key, log=str(log), timeout=timeout, words=words)
    if task.kind is TaskKind.DATA:
        contract = prepared.project.contracts.get(task.name)
        return LoadData(
            key=key,
            log=str(log),
            timeout=timeout,
            data=_dataset(prepared, task.name),
            contract=contract.model_dump(mode="json") if contract else None,
            checker=build.checker,
            at=at,
        )
    if task.kind is TaskKind.STEP:
        step = prepared.graph.steps[task.name]
        arguments = {name: _source(prepared, name, outputs) for name in step.asks}
        return CallStep(key=key, log=str(log), timeout=timeout, module=step.module, function=step.function, arguments=arguments)
    return PackageModel(
        key=key,
        log=str(log),
        timeout=timeout,
        packager=build.packager,
        model=Value(outputs[MODEL]),
        inputs=tuple(Value(outputs[name]) for name in task.inputs if name not in (MODEL, EVALUATION)),
        evaluation=Value(outputs[EVALUATION]),
        event=prepared.project.label_event,
        packing=_packing(prepared, build),
    )


def _packing(prepared: Prepared, build: BuildWorld) -> Packing:
    asked = prepared.project.build.package
    return Packing(runtime=asked.runtime, requirements=asked.requirements, natives=dict(build.natives))


def _source(prepared: Prepared, name: str, outputs: Mapping[str, str]) -> Source:
    if name in prepared.graph.params:
        return Constant(prepared.params[name])
    return _dataset(prepared, name) if name in prepared.graph.data else Value(outputs[name])


def _dataset(prepared: Prepared, name: str) -> Dataset:
    version = prepared.data[name]
    return Dataset(name=name, digest=version.digest, files=version.files)
