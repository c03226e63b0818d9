"""How long images take to build, and how large they are. `python -m benchmarks.image`; half a minute, no engine.

The base is this machine's Python in a root folder, as the tests have it; what is built upon it is an ONNX model of the contracts.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from lockgate.domain.forms import Contents
from lockgate.integrations.local.distributions import LocalDistributions
from lockgate.integrations.oci import asking
from lockgate.integrations.oci.builder import ImageBuilder
from lockgate.usecases.list_needs import list_needs
from tests.contracts.runtime_models import onnx
from tests.samples.docker import fill_root
from tests.samples.images import HOME, contents, image_of, layer, runnable, saved

NEEDS = partial(list_needs, LocalDistributions())
_MB = 1e6
_REBUILDS = 5


def main() -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        base = based(folder / "root")
        small = runnable(onnx.make(folder / "model"), "flight-delay")
        large = contents(folder / "large", "large", graph=bytes(500_000_000))
        told(folder, base, small, large)


def told(folder: Path, base: Path, small: Contents, large: Contents) -> None:
    builder = ImageBuilder(HOME, base, folder / "cache", NEEDS)
    build = partial(built, builder, folder)
    _, first = timed(lambda: build([small]))
    print(f"first build, base and libraries not in the cache   {first:5.1f} s")
    again = [timed(lambda: build([small])) for _ in range(_REBUILDS)]
    print(f"after that                                         {median(seconds for _, seconds in again):5.1f} s")
    _, seconds = timed(lambda: build([large]))
    print(f"a model of 500 MB upon the same                    {seconds:5.1f} s")
    file = again[-1][0]
    manifest, _, _ = image_of(file)
    sizes = [one["size"] for one in manifest["layers"]]
    titles = ["base", *(one["annotations"]["dev.lockgate.layer"] for one in manifest["layers"][1:])]
    print("\n".join(f"  {title:12} {size / _MB:7.1f} MB" for title, size in zip(titles, sizes, strict=True)))
    asked = [asking.ask(file, small, {"PATH": ""}).cold_start for _ in range(3)]
    print(f"from start to the golden rows, without an engine   {median(asked):5.1f} s")


def based(root: Path) -> Path:
    fill_root(root)
    files = {path.relative_to(root).as_posix(): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}
    return saved(root.parent / "base.tar", layer(files))


def built(builder: ImageBuilder, folder: Path, of: Sequence[Contents]) -> Path:
    out = folder / "out"
    out.mkdir(exist_ok=True)
    return builder.build(of, out)


def timed(do: Callable[[], Path]) -> tuple[Path, float]:
    begun = time.perf_counter()
    done = do()
    return done, time.perf_counter() - begun


if __name__ == "__main__":
    main()
