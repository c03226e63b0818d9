"""`python -m lockgate.integrations.local.worker`: does what it is told, one line of JSON at a time, for the length of one run.

It runs the project's own code, so nothing that this code does may reach the protocol: the pipes are taken away from standard
input and output first, and whatever a step prints goes to that step's log.
"""

from __future__ import annotations

import importlib
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import SimpleQueue
from typing import Any, BinaryIO

import msgspec

from lockgate.domain.data import Split
from lockgate.integrations.local.memory import Memory
from lockgate.integrations.local.orphan import kill_group
from lockgate.integrations.local.protocol import Reply, Setup, Warm, request_decoder
from lockgate.integrations.local.traces import UserTrace
from lockgate.integrations.local.values import LocalValues
from lockgate.kernel.errors import Invalid, LockgateError
from lockgate.ports.executor import CallStep, Constant, Dataset, LoadData, PackageModel, Source

_MOST_BREACHES = 5


def main() -> None:
    requests, replies = _take_pipes()
    lines: SimpleQueue[bytes] = SimpleQueue()
    threading.Thread(target=_listen, args=(requests, lines), daemon=True, name="requests").start()
    worker: _Worker | None = None
    while True:
        request = request_decoder.decode(lines.get())
        if isinstance(request, Setup):
            worker = _Worker(request)
        elif isinstance(request, Warm):
            _import_all(request.libraries)
        elif worker is not None:
            replies.write(msgspec.json.encode(worker.do(request)) + b"\n")
            replies.flush()


def _take_pipes() -> tuple[BinaryIO, BinaryIO]:
    """The pipes to the executor under numbers that no user code knows; standard input gives nothing, output goes with errors."""
    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return requests, replies


def _listen(requests: BinaryIO, lines: SimpleQueue[bytes]) -> None:
    """A thread of its own, so that the end of the executor is noticed in the middle of a step."""
    for line in requests:
        lines.put(line)
    kill_group()


def _import_all(libraries: tuple[str, ...]) -> None:
    for library in libraries:
        with suppress(ImportError):  # who needs it will be told so by their own import
            importlib.import_module(library)


class _Worker:
    def __init__(self, setup: Setup) -> None:
        self._memory = Memory(LocalValues(Path(setup.values)), Path(setup.data))
        self._project = Path(setup.project)
        sys.path[:0] = [str(self._project / root) for root in setup.roots]

    def do(self, work: LoadData | CallStep | PackageModel) -> Reply:
        with _printing_to(Path(work.log)):
            try:
                return self._do(work)
            except LockgateError as error:
                print(error.message, *([error.hint] if error.hint else []), sep="\n", file=sys.stderr)  # noqa: T201 - its log
                return Reply(error=f"{error.message}. {error.hint}" if error.hint else error.message)
            except BaseException as error:  # noqa: BLE001 - user code may raise anything, also SystemExit
                trace = UserTrace(error, self._project)
                print(trace.text, file=sys.stderr)  # noqa: T201
                return Reply(error=f"raised {trace.line}")

    def _do(self, work: LoadData | CallStep | PackageModel) -> Reply:
        if isinstance(work, LoadData):
            return self._load(work)
        return Reply(output=self._call(work) if isinstance(work, CallStep) else self._package(work))

    def _load(self, work: LoadData) -> Reply:
        frame = self._memory.data(work.data)
        breaches = _function(work.checker)(frame, work.contract, work.at) if work.contract is not None else ()
        if not breaches:
            return Reply(output=work.data.digest)
        print(*breaches, sep="\n", file=sys.stderr)  # noqa: T201
        more = f"; and {len(breaches) - _MOST_BREACHES} more" if len(breaches) > _MOST_BREACHES else ""
        return Reply(error=f"breaks its contract: {'; '.join(breaches[:_MOST_BREACHES])}{more}", refused=True)

    def _call(self, work: CallStep) -> str:
        function = getattr(importlib.import_module(work.module), work.function)
        arguments = {name: self._value(source) for name, source in work.arguments.items()}
        return self._memory.keep(function(**arguments))

    def _package(self, work: PackageModel) -> str:
        given = [self._memory.get(value.digest) for value in work.inputs]
        splits = [value for value in given if isinstance(value, Split)]
        if len(splits) != 1:
            raise Invalid(
                f"the model step was given {len(splits)} values of type lockgate.Split, one expected",
                hint="Return lockgate.Split(x_train, y_train, x_test, y_test) from a step that `model` asks for.",
            )
        model, evaluation = self._memory.get(work.model.digest), self._memory.get(work.evaluation.digest)
        packaged = _function(work.packager)(model, splits[0], evaluation, work.event, work.packing)
        return self._memory.store(msgspec.msgpack.encode(packaged))

    def _value(self, source: Source) -> Any:
        if isinstance(source, Constant):
            return source.value
        return self._memory.data(source) if isinstance(source, Dataset) else self._memory.get(source.digest)


def _function(name: str) -> Callable[..., Any]:
    """`module:function`"""
    module, _, function = name.partition(":")
    found: Callable[..., Any] = getattr(importlib.import_module(module), function)
    return found


@contextmanager
def _printing_to(log: Path) -> Iterator[None]:
    """Descriptors 1 and 2 are the log: so that what libraries and child processes print goes there too."""
    before = os.dup(1), os.dup(2)
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        for descriptor in (1, 2):
            os.dup2(file, descriptor)
        yield
    finally:
        with suppress(ValueError, OSError):  # a step may have closed them
            sys.stdout.flush()
            sys.stderr.flush()
        for descriptor, copy in zip((1, 2), before, strict=True):
            os.dup2(copy, descriptor)
        for descriptor in (file, *before):
            os.close(descriptor)


if __name__ == "__main__":
    main()
