"""Other model servers, each with the settings that its documentation gives for one core.

All load the fitted scikit-learn model as it is. None writes a line for each request. One that gathers requests is measured both
ways: gathering helps a model that is slow for one row and hurts one that is quick.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

from benchmarks.serving import dialects
from benchmarks.serving.contestants.kind import Contestant, Place, Started
from benchmarks.serving.dialects import Dialect
from benchmarks.serving.environments import Absent, python
from benchmarks.serving.machine import cores, free_port
from benchmarks.serving.processes import running

_SERVERS = Path(__file__).parents[1] / "servers"
_BATCH, _WINDOW = 64, 0.002  # requests, seconds


class Command(NamedTuple):
    argv: list[str]
    variables: dict[str, str]


class Site(NamedTuple):
    """Where a command runs: the place, the peer's interpreter, the port to listen on."""

    place: Place
    interpreter: Path
    port: int

    def tool(self, name: str) -> str:
        return str(self.interpreter.parent / name)

    def script(self, name: str, *arguments: str) -> list[str]:
        return [str(self.interpreter), str(_SERVERS / name), str(self.place.folder / "model.joblib"), *arguments]


@contextmanager
def _peer(place: Place, name: str, environment: str, command: Callable[[Site], Command]) -> Iterator[Started]:
    site = Site(place, python(place.cache, environment), free_port())
    place.model.kept(place.folder)
    made = command(site)
    # The peer's own programs first on the path: some start their helpers by name.
    path = f"{site.interpreter.parent}:/usr/local/bin:/usr/bin:/bin"
    variables = {"PATH": path, "PYTHONPATH": "", "DO_NOT_TRACK": "true", "OMP_NUM_THREADS": "1", **made.variables}
    with running(made.argv, folder=place.folder, log=place.log(name), core=cores().server, environment=variables) as server:
        yield Started(site.port, server)


def _mlserver(site: Site, *, workers: int, batched: bool) -> Command:
    ports = {"http_port": site.port, "grpc_port": free_port(), "metrics_port": free_port()}
    settings = {"debug": False, "host": "127.0.0.1", "parallel_workers": workers, **ports}
    gathering = {"max_batch_size": _BATCH, "max_batch_time": _WINDOW} if batched else {}
    runtime = {"implementation": "mlserver_sklearn.SKLearnModel", "parameters": {"uri": "./model.joblib"}}
    folder = site.place.folder
    (folder / "settings.json").write_text(json.dumps(settings))
    (folder / "model-settings.json").write_text(json.dumps({"name": "model", **runtime, **gathering}))
    return Command([site.tool("mlserver"), "start", str(folder)], {})


def _bentoml(site: Site, *, batched: bool) -> Command:
    folder = site.place.folder
    argv = [site.tool("bentoml"), "serve", "bentoml_service:Scorer", "--working-dir", str(_SERVERS)]
    model = {"SCORER_MODEL": str(folder / "model.joblib"), "SCORER_BATCHED": str(int(batched))}
    home = {"BENTOML_HOME": str(folder / "bentoml"), "BENTOML_DO_NOT_TRACK": "True"}
    return Command([*argv, "--host", "127.0.0.1", "--port", str(site.port)], model | home)


def _litserve(site: Site, *, batched: bool) -> Command:
    return Command(site.script("litserve_server.py", str(site.port), str(int(batched))), {})


def _kserve(site: Site) -> Command:
    loggers = {name: {"level": "WARNING"} for name in ("uvicorn", "uvicorn.access", "kserve", "kserve.trace")}
    log = site.place.folder / "logging.json"
    log.write_text(json.dumps({"version": 1, "disable_existing_loggers": False, "loggers": loggers}))
    options = [f"--http_port={site.port}", "--workers=1", "--enable_grpc=false", "--enable_latency_logging=false"]
    return Command(site.script("kserve_server.py", *options, f"--log_config_file={log}"), {})


def _ray(site: Site, *, batched: bool) -> Command:
    """Both switches of its guide to high throughput: without HAProxy in front, its proxy in Python takes five times as long."""
    fast = {"RAY_SERVE_THROUGHPUT_OPTIMIZED": "1", "RAY_SERVE_ENABLE_HA_PROXY": "1"}
    variables = {"RAY_USAGE_STATS_ENABLED": "0", **fast}
    return Command(site.script("ray_server.py", str(site.port), str(int(batched))), variables)


def _mlflow(site: Site) -> Command:
    quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "UVICORN_ACCESS_LOG": "false"}
    folder = site.place.folder / "saved"
    saved = subprocess.run(site.script("mlflow_model.py", str(folder)), capture_output=True, text=True, check=False)
    if saved.returncode:
        raise Absent(f"mlflow cannot save the model: {saved.stderr.strip()[-300:]}")
    argv = [site.tool("mlflow"), "models", "serve", "--model-uri", str(folder), "--env-manager", "local"]
    return Command([*argv, "--host", "127.0.0.1", "--port", str(site.port), "--workers", "1"], quiet)


_V2 = "/v2/models/model/infer"
_MLSERVER = dialects.protocol_matrix(_V2, "predict_proba", named=True)
_KSERVE = dialects.protocol_matrix(_V2, "output-0", named=False)
_BENTOML = dialects.matrix("/predict", "rows", None)
_LITSERVE = dialects.single("/predict", "input", "output")
_RAY = dialects.single("/", "input", "output")
_MLFLOW = dialects.matrix("/invocations", "inputs", "predictions")


def _of(environment: str, library: str, dialect: Dialect) -> Callable[[str, str, str, Callable[[Site], Command]], Contestant]:
    def contestant(name: str, title: str, settings: str, command: Callable[[Site], Command]) -> Contestant:
        start = partial(_peer, name=name, environment=environment, command=command)
        return Contestant(name, title, settings, lambda _: dialect, start, environment, library)

    return contestant


_mlserver_of = _of("mlserver", "mlserver", _MLSERVER)
_bentoml_of = _of("bentoml", "bentoml", _BENTOML)
_litserve_of = _of("litserve", "litserve", _LITSERVE)
_ray_of = _of("ray", "ray", _RAY)
_GATHERED = f"at most {_BATCH} requests, {1e3 * _WINDOW:g} ms"

PEERS = (
    _mlserver_of("mlserver", "MLServer", "parallel_workers 0", partial(_mlserver, workers=0, batched=False)),
    _mlserver_of("mlserver-pool", "MLServer, pool", "parallel_workers 1 (default)", partial(_mlserver, workers=1, batched=False)),
    _mlserver_of(
        "mlserver-batched",
        "MLServer, batching",
        f"parallel_workers 0, {_GATHERED}",
        partial(_mlserver, workers=0, batched=True),
    ),
    _bentoml_of("bentoml", "BentoML", "1 worker, async API", partial(_bentoml, batched=False)),
    _bentoml_of(
        "bentoml-batched", "BentoML, batching", "the same, batchable (its adaptive defaults)", partial(_bentoml, batched=True)
    ),
    _litserve_of("litserve", "LitServe", "1 worker, 1 API server, fast_queue", partial(_litserve, batched=False)),
    _litserve_of("litserve-batched", "LitServe, batching", f"the same, {_GATHERED}", partial(_litserve, batched=True)),
    _of("kserve", "kserve", _KSERVE)("kserve", "KServe", "1 worker, no gRPC", _kserve),
    _ray_of("ray", "Ray Serve", "1 replica, HAProxy, throughput-optimised", partial(_ray, batched=False)),
    _ray_of("ray-batched", "Ray Serve, batching", f"the same, {_GATHERED}", partial(_ray, batched=True)),
    _of("mlflow", "mlflow", _MLFLOW)("mlflow", "MLflow", "models serve, 1 worker", _mlflow),
)
