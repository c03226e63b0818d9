"""One row through the libraries alone, with no server: what is theirs of each answer."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from statistics import median

import numpy as np
import onnxruntime

from benchmarks.serving.environments import ROOT
from benchmarks.serving.machine import cores, pinned
from benchmarks.serving.models import Served, served

_REPETITIONS, _CALLS = 5, 100


def measured(models: tuple[str, ...]) -> dict[str, dict[str, float]]:
    """Seconds for one row by model and library, on the core where servers are measured."""
    command = pinned([sys.executable, "-m", "benchmarks.serving.alone", *models], cores().server)
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    times: dict[str, dict[str, float]] = json.loads(done.stdout)
    return times


def _times(model: Served) -> dict[str, float]:
    rows = model.rows(1)
    asked = rows.to_numpy() if model.numeric else rows
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.converted().content, options, providers=["CPUExecutionProvider"])
    feeds = {
        name: rows[[name]].to_numpy(dtype=object if kind == "BYTES" else np.float32) for name, kind in model.datatypes.items()
    }
    return {
        "scikit-learn": _time(lambda: model.estimator.predict_proba(asked)),
        "onnxruntime": _time(lambda: session.run(["probabilities"], feeds)),
    }


def _time(call: Callable[[], object]) -> float:
    spent = []
    for _ in range(_REPETITIONS):
        begun = time.process_time()
        for _ in range(_CALLS):
            call()
        spent.append((time.process_time() - begun) / _CALLS)
    return median(spent)


if __name__ == "__main__":
    print(json.dumps({name: _times(served(name)) for name in sys.argv[1:]}))
