"""Models that do what models should not: the isolated processes of the tests load them instead of a runtime's.

The score is twice the input, plus the number of letters of the text. Some inputs are orders: see POISON. Options of the manifest
say what happens while the package is loaded.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lockgate.boundary.manifest import Manifest
from lockgate.runtimes.model import Array
from lockgate.runtimes.package import Files

MB = 1 << 20
RAISE, CRASH, HANG, HOLD, SWELL, EXIT, DROP, NAN, PRINT, LEAK = (-float(number) for number in range(1, 11))
_kept: list[Any] = []


def _hang() -> None:
    time.sleep(1000)


def _hold() -> None:
    """Hangs like native code that keeps the interpreter: no other thread of the process runs."""
    ctypes.PyDLL(None).sleep(1000)


def _crash() -> None:
    os.kill(os.getpid(), signal.SIGSEGV)
    _hang()


def _raise() -> None:
    raise ValueError("poisoned")


def _swell(amount: int = 4096 * MB) -> None:
    """Takes memory until there is none, in pieces."""
    _kept.extend(np.ones(2 * MB) for _ in range(amount // (16 * MB)))


def _leak() -> None:
    _kept.append(np.ones(2 * MB))


def _say_nonsense() -> None:
    for descriptor in range(3, 12):
        try:
            os.write(descriptor, b"nonsense\n")
        except OSError:
            continue
    _hang()


def _fork() -> None:
    """Starts a process that would outlive this one, if nobody ended it."""
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)", "left-behind"])


POISON: dict[float, Callable[[], Any]] = {
    RAISE: _raise,
    CRASH: _crash,
    HANG: _hang,
    HOLD: _hold,
    SWELL: _swell,
    EXIT: lambda: os._exit(3),
    PRINT: lambda: print("printed by the model", flush=True),
    LEAK: _leak,
}
WHILE_LOADING: dict[str, Callable[[], Any]] = {
    "crash": _crash,
    "hang": _hang,
    "hold": _hold,
    "swell": _swell,
    "exit": lambda: os._exit(3),
    "leave": lambda: sys.exit("no more"),
    "raise": _raise,
    "nonsense": _say_nonsense,
    "fork": _fork,
    "ballast": lambda: _swell(64 * MB),
}


class Doubler:
    """options: seconds: what a run takes; each: what every row adds; offset: added to the scores; mean: of all rows, so that rows
    depend on each other; calls: a file that gets one line with its rows for each run.
    """

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._options = options

    def run(self, feeds: Mapping[str, Array]) -> Sequence[Array]:
        values = feeds["x"][:, 0].astype(float)
        if "calls" in self._options:
            with Path(self._options["calls"]).open("a") as file:
                file.write(f"{len(values)}\n")
        pause = self._options.get("seconds", 0.0) + self._options.get("each", 0.0) * len(values)
        if pause:
            time.sleep(pause)
        for value in values:
            POISON.get(value, lambda: None)()
        letters = np.array([len(text) for text in feeds["text"][:, 0].tolist()], float)
        scores = 2.0 * values + letters + self._options.get("offset", 0.0)
        if self._options.get("mean"):
            scores = np.full_like(scores, scores.mean())
        scores[values == NAN] = np.nan
        return [scores[values != DROP].reshape(-1, 1)]


def load(manifest: Manifest, files: Files) -> Doubler:
    """pids: a file that gets one line with the process' id for each load."""
    if "pids" in manifest.options:
        with Path(manifest.options["pids"]).open("a") as file:
            file.write(f"{os.getpid()}\n")
    WHILE_LOADING.get(str(manifest.options.get("load")), lambda: None)()
    return Doubler(manifest.options)
