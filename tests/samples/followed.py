"""A house that publishes a channel: small versions that can be told apart by their answers, signed, in a folder as a source.

Version V answers a row with V times its `x`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from msgspec import structs
from onnx import ModelProto, TensorProto, helper

from lockgate.boundary import statements
from lockgate.boundary.manifest import File, Golden, Lineage, Manifest, Signature, Tensor, encode
from lockgate.boundary.pointers import Pointer, channel_of, publish
from lockgate.boundary.releases import Release
from lockgate.boundary.routes import Arm, Revision, Role, Route
from lockgate.integrations.local.artifacts import LocalArtifacts
from lockgate.integrations.local.channels import LocalChannels
from lockgate.testing.signer import KeySigner

MODEL = "tripled"
CHANNEL = channel_of(MODEL, "production")
_X = Tensor("x", "FP32", (-1, 1))


def onnx_of(factor: float) -> bytes:
    """Score = x · factor"""
    nodes = [helper.make_node("Mul", ["x", "factor"], ["score"])]
    weights = [helper.make_tensor("factor", TensorProto.FLOAT, [1, 1], [factor])]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, 1]) for name in ("x", "score")]
    graph = helper.make_graph(nodes, "scaled", ends[:1], ends[1:], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return cast("bytes", ModelProto.SerializeToString(model))


@dataclass
class House:
    """folder: the source. Each version is made and signed when it is first named."""

    folder: Path
    signer: KeySigner = field(default_factory=KeySigner)
    model: str = MODEL
    releases: dict[int, Release] = field(default_factory=dict)
    issued: float = 1000.0

    @property
    def key(self) -> str:
        return self.signer.public_key

    @property
    def channel(self) -> str:
        return channel_of(self.model, "production")

    @property
    def artifacts(self) -> LocalArtifacts:
        return LocalArtifacts(self.folder / "artifacts")

    @property
    def channels(self) -> LocalChannels:
        return LocalChannels(self.folder / "channels")

    def release(
        self,
        version: int,
        *,
        wrong: bool = False,
        size: int = 0,
        signer: KeySigner | None = None,
        signed: bool = True,
        named: str = "",
    ) -> Release:
        """wrong: its golden rows are another model's. size: bytes of a file that lies beside the model. named: as what its
        manifest knows it, if not as the house's model.
        """
        store = self.artifacts
        contents = {"model.onnx": onnx_of(float(version))} | ({"weights.bin": b"w" * size} if size else {})
        files = tuple(File(name, store.put(content), len(content)) for name, content in contents.items())
        golden = Golden({"x": [1.0, 2.0]}, [version + wrong, 2.0 * version], 1e-6)
        signature = Signature((_X,), (Tensor("score", "FP32", (-1, 1)),), "score")
        lineage = Lineage("run-1", None, dirty=False, author="ada", data={}, params={})
        digest = store.put(encode(Manifest(named or self.model, "onnx", files, signature, golden, lineage)))
        told = statements.say({"manifest.json": digest}, statements.PROVENANCE, {}, signer or self.signer)
        self.releases[version] = Release(self.model, version, digest, store.put(told) if signed else "")
        return self.releases[version]

    def route(self, champion: int, *others: Arm) -> Route:
        share = 1.0 - sum(one.weight for one in others)
        before = tuple(one for one in others if one.role is Role.CANARY)
        after = tuple(one for one in others if one.role is not Role.CANARY)
        return Route(self.model, (*before, self.arm(champion, Role.CHAMPION, share), *after), salt="salt")

    def arm(self, version: int, role: Role = Role.CANARY, weight: float = 0.0) -> Arm:
        release = self.releases.get(version) or self.release(version)
        return Arm(version, release.digest, role, weight, release.provenance)

    def pointer(self, n: int, route: Route) -> Pointer:
        self.issued += 1.0
        versions = sorted({arm.version for one in route.with_parts for arm in one.arms})
        return Pointer(self.channel, Revision(0, n), route, tuple(self.releases[one] for one in versions), self.issued)

    def publish(self, n: int, route: Route | int, signers: Sequence[KeySigner] = ()) -> bytes:
        """n: of the revision. route: or the only version."""
        pointer = self.pointer(n, self.route(route) if isinstance(route, int) else route)
        content = publish(pointer, *(signers or [self.signer]))
        self.put(content)
        return content

    def put(self, content: bytes) -> None:
        self.channels.write(self.channel, content)

    def backdated(self, pointer: Pointer, seconds: float) -> bytes:
        return publish(structs.replace(pointer, issued_at=pointer.issued_at - seconds), self.signer)
