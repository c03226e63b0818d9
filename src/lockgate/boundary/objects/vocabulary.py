"""Which classes and functions stored objects may name.

Whoever names a class in stored bytes has it built when the bytes are read, and a method of it called later. So the names that may
stand there are written down in the platform's own code, never in what is read.
"""

from __future__ import annotations

from collections import Counter, OrderedDict, defaultdict, deque
from dataclasses import dataclass
from importlib import import_module
from statistics import NormalDist
from typing import Any

from lockgate.kernel.errors import Invalid, Refused

_PLAIN: dict[str, Any] = {
    f"{kind.__module__}:{kind.__qualname__}": kind
    for kind in (
        bool,
        int,
        float,
        str,
        bytes,
        list,
        dict,
        set,
        frozenset,
        tuple,
        Counter,
        OrderedDict,
        defaultdict,
        deque,
        NormalDist,
    )
}


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """packages: every class that is defined in one of them or below may be named. functions: those that may, as `module:path`.

    Plain Python containers and numbers may always be named. hint: what to do when a name is refused.
    """

    packages: frozenset[str]
    functions: frozenset[str] = frozenset()
    hint: str | None = None

    def name_of(self, thing: Any) -> str:
        """`module:path`, from which `find` gives the same class or function again.

        Raises:
            Refused: it may not be named.
        """
        name = f"{getattr(thing, '__module__', None)}:{getattr(thing, '__qualname__', None)}"
        if self.find(name) is not thing:
            raise self._refusal(name)
        return name

    def find(self, name: str) -> Any:
        """The class or function of this name.

        Raises:
            Refused: it may not be named. Invalid: it may, but the library that is installed here has none of this name.
        """
        if name in _PLAIN:
            return _PLAIN[name]
        module, _, path = name.partition(":")
        if name not in self.functions and not self._covers(module):
            raise self._refusal(name)
        try:
            found: Any = import_module(module)
            for part in path.split("."):
                found = getattr(found, part)
        except (ImportError, AttributeError) as error:
            raise Invalid(f"there is no {name} here", hint="Install the library's version that made the package.") from error
        if name in self.functions or (isinstance(found, type) and f"{found.__module__}:{found.__qualname__}" == name):
            return found
        raise self._refusal(name)

    def _covers(self, module: str) -> bool:
        return any(module == package or module.startswith(f"{package}.") for package in self.packages)

    def _refusal(self, name: str) -> Refused:
        return Refused(f"{name[:200]} is not among the classes and functions that stored objects may name", hint=self.hint)
