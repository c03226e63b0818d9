"""What stands behind building here: local workers, git, and the islands that package and check."""

from __future__ import annotations

from functools import partial

from lockgate.integrations.git.source import GitSource
from lockgate.integrations.local.asked import AskedRuntime
from lockgate.integrations.local.datasets import LocalDatasets
from lockgate.integrations.local.executor import LocalExecutors
from lockgate.integrations.local.libraries import LocalLibraries
from lockgate.integrations.local.package_server import LocalPackageServer
from lockgate.integrations.local.records import LocalRecords
from lockgate.integrations.local.run_folders import LocalRunFolders
from lockgate.integrations.local.values import LocalValues
from lockgate.integrations.onnxruntime.runtime import OnnxRuntime
from lockgate.usecases.build_world import BuildWorld
from lockgate.usecases.list_trusted_types import list_trusted_types
from lockgate.usecases.world import World
from lockgate.wiring.home import Home
from lockgate.wiring.scanners import open_scanner

PACKAGER = "lockgate.integrations.sklearn.package:package"
NATIVES = {library: f"lockgate.integrations.{library}.native:native" for library in ("xgboost", "lightgbm", "river", "torch")} | {
    # What a pipeline declares: see `lockgate.torch_model` and its neighbours.
    f"lockgate.integrations.{island}.model": f"lockgate.integrations.{island}.native:native"
    for island in ("torch", "mlflow", "python", "graph")
}
# What the data plane runs in processes of its own; it is asked there.
ASKED = ("sklearn", "xgboost", "lightgbm", "torch", "river", "mlflow", "python", "graph")
CHECKER = "lockgate.integrations.pandera.check:check"


def build_world(home: Home, world: World) -> BuildWorld:
    trusted = partial(list_trusted_types, world.state)
    return BuildWorld(
        executors=LocalExecutors(home.cache),
        values=LocalValues(home.cache),
        source=GitSource(home.checkouts),
        datasets=LocalDatasets(home.folder / "datasets.json", world.clock),
        folders=LocalRunFolders(home.runs),
        libraries=LocalLibraries(),
        packager=PACKAGER,
        checker=CHECKER,
        runtimes=(
            OnnxRuntime(),
            *(AskedRuntime(name, home.cache / "venvs", trusted=trusted, home=home.folder) for name in ASKED),
        ),
        natives=NATIVES,
        server=LocalPackageServer(trusted=trusted),
        records=LocalRecords(home.records),
        scanner=open_scanner(home, world.clock),
    )
