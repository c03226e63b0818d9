"""From a digest to a package that answers: examined, verified, loaded where its runtime may run, tried with its golden rows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from pathlib import Path

from lockgate.boundary.manifest import Manifest
from lockgate.kernel.errors import LockgateError
from lockgate.runtimes.model import RuntimeFailure
from lockgate.runtimes.package import read
from lockgate.runtimes.registry import load_model, runtime_of
from lockgate.serving.gateway.package import Engine, Package, package_of
from lockgate.serving.gateway.vouching import Vouching
from lockgate.serving.isolation.client import Hosts
from lockgate.serving.isolation.golden import GoldenRows
from lockgate.serving.isolation.loading import manifest_of
from lockgate.serving.isolation.shadow import Outcome


class PackageLoader:
    """thread: where models are loaded that run in this process, off the event loop. hosts: where all others run. vouching: who
    says which packages may be loaded at all.
    """

    def __init__(self, artifacts: Path, thread: Executor, hosts: Hosts, vouching: Vouching) -> None:
        self._vouching = vouching
        self._artifacts = artifacts
        self._thread = thread
        self._hosts = hosts

    async def load(self, digest: str) -> Package:
        """The package, ready to answer.

        What is to run in this process is first loaded in another one, whose death would hurt nobody.

        Raises:
            NotFound, Corrupt, Invalid: see runtimes.package.read. RuntimeFailure: it cannot be loaded, or its process cannot be
            had. Refused: its golden rows come out otherwise than they should, nobody trusted signed it, or it is another model's.
        """
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._thread, self._vouching.check, digest)
        manifest = await loop.run_in_executor(self._thread, manifest_of, self._artifacts, digest)
        self._vouching.check_model(digest, manifest.model)
        if not runtime_of(manifest).inline:
            return package_of(digest, manifest, Engine(remote=await self._hosts.open(digest)))
        verdict = await self._hosts.examine(digest)
        if not verdict.ok:
            raise RuntimeFailure(verdict.reason)
        try:
            return await loop.run_in_executor(self._thread, load_inline, self._artifacts, digest)
        except LockgateError:
            self._hosts.close(digest)  # the memory that was put aside for it; who tries again is examined again
            raise

    def free(self, package: Package) -> None:
        """Freeing a large session takes a while: the loader's thread does it."""
        self._hosts.close(package.digest)
        self._thread.submit(id, package)

    def forget(self, digest: str) -> None:
        self._hosts.close(digest)


class ShadowLoader:
    """Shadows run in a process of their own, whatever their runtime. on_outcomes: what became of some offers."""

    def __init__(
        self,
        artifacts: Path,
        thread: Executor,
        hosts: Hosts,
        vouching: Vouching,
        on_outcomes: Callable[[Sequence[Outcome]], None],
        seconds: float,
    ) -> None:
        """seconds: within which a shadow's answer is worth having."""
        self._vouching = vouching
        self._artifacts = artifacts
        self._thread = thread
        self._hosts = hosts
        self._on_outcomes = on_outcomes
        self._seconds = seconds

    async def load(self, digest: str) -> Package:
        """Raises as PackageLoader.load."""
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._thread, self._vouching.check, digest)
        manifest: Manifest = await loop.run_in_executor(self._thread, manifest_of, self._artifacts, digest)
        self._vouching.check_model(digest, manifest.model)
        shadow = await self._hosts.open_shadow(digest, self._on_outcomes, self._seconds)
        return package_of(digest, manifest, Engine(shadow=shadow))

    def free(self, package: Package) -> None:
        self.forget(package.digest)

    def forget(self, digest: str) -> None:
        self._hosts.close_shadow(digest)


def load_inline(artifacts: Path, digest: str) -> Package:
    """Raises as PackageLoader.load."""
    manifest, files = read(artifacts, digest)
    model = load_model(manifest, files)
    GoldenRows(manifest).check(model)
    return package_of(digest, manifest, Engine(model))
