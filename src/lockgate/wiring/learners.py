"""Which runtimes' models can learn here. Their libraries are optional, and loaded when somebody learns."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import cast

from lockgate.boundary.manifest import Manifest
from lockgate.kernel.errors import MissingExtra
from lockgate.ports.learners import Learner, Learners


class _OnDemand:
    """A ports.learners.Learners behind the one that is named as `module:class`."""

    def __init__(self, extra: str, name: str) -> None:
        self._extra = extra
        self._module, _, self._class = name.partition(":")

    def open(self, manifest: Manifest, files: Mapping[str, bytes]) -> Learner:
        try:
            module = import_module(self._module)
        except ImportError as error:
            hint = f"pip install 'lockgate[{self._extra}]'"
            raise MissingExtra(
                f"models of the runtime {self._extra} learn by a library that is not here: {error}", hint=hint
            ) from error
        return cast("Learners", getattr(module, self._class)()).open(manifest, files)


LEARNERS: Mapping[str, Learners] = {"river": _OnDemand("river", "lockgate.integrations.river.learner:RiverLearners")}
