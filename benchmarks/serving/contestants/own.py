"""The limit and Lockgate.

Lockgate serves what `lockgate run` makes of the model, with a rollout under way: 10 % of the users on a canary, sticky, with
thresholds, evidence, records and metrics. Both versions hold the same model, so that every answer is known.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec

from benchmarks.serving import dialects
from benchmarks.serving.contestants.kind import Contestant, Place, Started
from benchmarks.serving.dialects import Dialect
from benchmarks.serving.environments import ROOT, Absent
from benchmarks.serving.machine import cores, free_port
from benchmarks.serving.models import Served
from benchmarks.serving.packages import Form, onnx_form, package
from benchmarks.serving.plane import data_plane, rollout, table
from benchmarks.serving.processes import running
from lockgate.integrations.sklearn.features import Features


@contextmanager
def _bare(place: Place) -> Iterator[Started]:
    model, port = place.folder / "model.onnx", free_port()
    model.write_bytes(place.model.converted().content)
    command = [sys.executable, "-m", "benchmarks.serving.bare", str(port), str(model)]
    with running(command, folder=ROOT, log=place.log("bare"), core=cores().server) as server:
        yield Started(port, server)


@contextmanager
def _lockgate(place: Place, form: Callable[[Served], Form]) -> Iterator[Started]:
    artifacts, made = place.folder / "artifacts", form(place.model)
    champion, canary = (package(artifacts, place.model, made, run=run) for run in ("first", "second"))
    with data_plane(place.folder, artifacts, table(rollout(place.model.name, champion, canary))) as plane:
        yield Started(plane.port, plane.server, plane)


def _native_form(model: Served) -> Form:
    """What `lockgate run` makes of it with `package: {runtime: native}`."""
    if find_spec("lockgate.runtimes.sklearn") is None or find_spec("lockgate.integrations.sklearn.native") is None:
        raise Absent("this tree has no runtime for unconverted scikit-learn models")
    from lockgate.integrations.sklearn.forms import as_native  # noqa: PLC0415 - see above
    from lockgate.integrations.sklearn.native import native  # noqa: PLC0415

    asked = model.rows(200)
    made = as_native(native(model.framed(), {}, {}), Features(asked, asked, model.datatypes), asked)
    return Form(made.runtime, dict(made.files), made.signature, dict(made.options))


def _columns(model: Served) -> Dialect:
    return dialects.protocol_columns(f"/v2/models/{model.name}/infer")


def _instances(model: Served) -> Dialect:
    return dialects.instances(f"/v2/models/{model.name}/infer")


OWN = (
    Contestant("bare", "bare handler", "Granian, msgspec, onnxruntime, nothing between", _columns, _bare),
    Contestant(
        "lockgate",
        "Lockgate",
        "ONNX; 10 % canary, sticky units, evidence, records, metrics",
        _columns,
        partial(_lockgate, form=onnx_form),
    ),
    Contestant(
        "lockgate-rows",
        "Lockgate, rows with names",
        "the same, asked with `instances`",
        _instances,
        partial(_lockgate, form=onnx_form),
    ),
    Contestant(
        "lockgate-sklearn",
        "Lockgate, unconverted",
        "the scikit-learn model as it is (skops), in an isolated process; the rest as above",
        _columns,
        partial(_lockgate, form=_native_form),
    ),
)
