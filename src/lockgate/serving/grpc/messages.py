"""The messages that are spoken here."""

from __future__ import annotations

from pathlib import Path

from lockgate.serving.grpc.schema import Schema

_HERE = Path(__file__).parent

INFERENCE = Schema(_HERE / "open_inference.proto")
HEALTH = Schema(_HERE / "health.proto")
STATUS = Schema(_HERE / "status.proto")
