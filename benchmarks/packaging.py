"""What it costs to ship one version in every form: `python -m benchmarks.packaging [--base FILE]`. Of the flights' model.

Each form is built and asked as `lockgate package` does it, twice: the second time all is there that is kept between builds. The
image needs a base, given as a file or a name; without it there is none here.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

from benchmarks.serving.models import served
from benchmarks.serving.packages import onnx_form, package
from lockgate.domain.forms import Form
from lockgate.domain.models import RegisteredModel
from lockgate.entrypoints.reading.forms import parity_clause
from lockgate.integrations.local.outbox import LocalOutbox
from lockgate.ports.state import MODELS, VERSIONS
from lockgate.testing import builders as a
from lockgate.usecases.package_version import package_version
from lockgate.usecases.sign_version import sign_version
from lockgate.usecases.world import World
from lockgate.wiring.forms import open_builder
from lockgate.wiring.home import Home
from lockgate.wiring.world import open_world


def registered(home: Home) -> tuple[World, str]:
    """A world with one signed version of the model, whose name is told."""
    world, source = open_world(home), served("flights")
    digest = package(home.artifacts, source, onnx_form(source))
    with world.state.write() as tx:
        tx.put(MODELS, RegisteredModel(source.name, world.clock.now(), 1))
        tx.put(VERSIONS, a.version(model=source.name, digest=digest))
    sign_version(world, source.name, 1, a.ANNA)
    return world, source.name


def measure(home: Home, world: World, model: str, form: Form, base: str | None) -> None:
    outbox = LocalOutbox(home.folder / "dist")
    for turn in ("first", "again"):
        began: list[tuple[str, float]] = []
        builder = open_builder(home, world, form, base)
        packaged = package_version(world, builder, [(model, 1)], outbox, a.ANNA, tell=_noting(began))
        ends = [*[at for _, at in began[1:]], perf_counter()]
        spent = ", ".join(f"{phase} {end - at:.2f} s" for (phase, at), end in zip(began, ends, strict=True))
        print(f"{form.value:6} {turn}: {spent}{', the same bytes' if packaged.same else ''}")
    (built,) = packaged.built
    print(f"       {built.size / 1e6:.2f} MB, first answer after {built.cold_start:.2f} s, in {built.environment}")
    print(f"       {parity_clause(built)}")


def _noting(began: list[tuple[str, float]]) -> Callable[[str], None]:
    return lambda phase: began.append((phase.split()[0], perf_counter()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", help="of the image")
    base = parser.parse_args().base
    with tempfile.TemporaryDirectory(prefix="lockgate-packaging-") as folder:
        home = Home(Path(folder))
        world, model = registered(home)
        for form in Form:
            if form is Form.IMAGE and base is None:
                print("image  not built: name what it stands on by --base")
            else:
                measure(home, world, model, form, base)


if __name__ == "__main__":
    main()
