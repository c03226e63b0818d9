"""The one way in which a model fails, whatever its library raised."""

from __future__ import annotations

from lockgate.kernel.errors import LockgateError


class RuntimeFailure(LockgateError):
    """The runtime could not load the model, or the model raised, hung or died on a request.

    kind: what the failure is counted as: error, timeout, crashed, output.
    """

    def __init__(self, message: str, *, kind: str = "error", hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.kind = kind
