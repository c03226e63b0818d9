"""Tracebacks for who wrote the step: the project's own frames and the error, without the insides of libraries."""

from __future__ import annotations

import traceback
from pathlib import Path

_LONGEST = 500


class UserTrace:
    """text: for the log. line: `ValueError: message (pipeline.py:42)`, for the run."""

    def __init__(self, error: BaseException, project: Path) -> None:
        whole = traceback.TracebackException.from_exception(error)
        self._project = project.resolve()
        self._shorten(whole)
        self.text = "".join(whole.format()).rstrip()
        self.line = self._summary(whole)

    def _shorten(self, trace: traceback.TracebackException) -> None:
        """This error and all that led to it."""
        waiting = [trace]
        seen: set[int] = set()
        while waiting:
            one = waiting.pop()
            if id(one) not in seen:
                seen.add(id(one))
                one.stack = traceback.StackSummary.from_list([frame for frame in one.stack if self._inside(frame.filename)])
                waiting += [led for led in (one.__cause__, one.__context__, *(one.exceptions or ())) if led is not None]

    def _inside(self, file: str) -> bool:
        path = Path(file)
        return path.is_absolute() and path.resolve().is_relative_to(self._project) and ".venv" not in path.parts

    def _summary(self, trace: traceback.TracebackException) -> str:
        said = " ".join(line.strip() for line in list(trace.format_exception_only())[-1:])
        said = said if len(said) <= _LONGEST else f"{said[:_LONGEST]}…"
        if trace.stack:
            last = trace.stack[-1]
            return f"{said} ({Path(last.filename).resolve().relative_to(self._project)}:{last.lineno})"
        return said
