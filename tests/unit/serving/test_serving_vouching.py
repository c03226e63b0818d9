"""A trusted signature vouches for a package of one model: a table that routes another model to it is not obeyed."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import cast

import pytest

from lockgate.boundary import statements, trust
from lockgate.boundary.manifest import Golden, Lineage, Manifest, Signature, encode
from lockgate.boundary.routes import Arm, Revision, Role, Route, RouteTable, Shadow
from lockgate.kernel.digest import digest_bytes, digits
from lockgate.kernel.errors import Refused
from lockgate.serving.gateway.loading import PackageLoader, ShadowLoader
from lockgate.serving.gateway.vouching import Vouching
from lockgate.serving.isolation.client import Hosts
from lockgate.testing.signer import KeySigner

SIGNER = KeySigner("home")
NO_HOSTS = cast("Hosts", None)  # nothing is ever started


def put(artifacts: Path, content: bytes) -> str:
    digest = digest_bytes(content)
    path = artifacts / digits(digest)[:2] / digits(digest)[2:]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return digest


def package(artifacts: Path) -> tuple[str, str]:
    """Of the model `delays`, signed: its digest and that of its provenance."""
    lineage = Lineage("run-1", None, dirty=False, author="ada", data={}, params={})
    digest = put(artifacts, encode(Manifest("delays", "onnx", (), Signature((), (), "y"), Golden({}, [], 0.0), lineage)))
    return digest, put(artifacts, statements.say({"manifest.json": digest}, statements.PROVENANCE, {}, SIGNER))


def table(*models: str, digest: str, provenance: str) -> RouteTable:
    """Each is answered by it, and asks it as a shadow."""
    arms, shadows = (Arm(3, digest, Role.CHAMPION, 1.0, provenance),), (Shadow(4, digest, provenance=provenance),)
    return RouteTable(Revision(0, 1), tuple(Route(model, arms, shadows=shadows) for model in models))


@pytest.mark.parametrize("signed", [True, False])
def test_a_package_of_another_model_is_not_loaded(tmp_path: Path, signed: bool) -> None:  # noqa: FBT001 - a parameter of the test
    digest, provenance = package(tmp_path / "artifacts")
    trust.lay_down(tmp_path, trust.trusting([SIGNER.public_key]) if signed else None)
    vouching = Vouching(tmp_path, tmp_path / "artifacts")
    vouching.heed(table("fraud", digest=digest, provenance=provenance))
    with ThreadPoolExecutor(1) as thread:
        place = tmp_path / "artifacts", thread, NO_HOSTS, vouching
        for loader in (PackageLoader(*place), ShadowLoader(*place, lambda _: None, 1.0)):
            with pytest.raises(Refused, match="is a package of 'delays', and the table routes 'fraud' to it"):
                asyncio.run(loader.load(digest))


def test_a_route_of_another_model_takes_a_package_from_nobody(tmp_path: Path) -> None:
    digest, provenance = package(tmp_path / "artifacts")
    vouching = Vouching(tmp_path, tmp_path / "artifacts")
    vouching.heed(table("delays", "fraud", digest=digest, provenance=provenance))
    vouching.check_model(digest, "delays")
    vouching.heed(RouteTable(Revision(0, 2)))
    vouching.check_model(digest, "delays")  # it stood in a table before, and stands in for a champion that is not ready
