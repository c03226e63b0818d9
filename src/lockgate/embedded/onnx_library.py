"""onnxruntime, told first to tell nobody how it is used: import it from here and from nowhere else."""

from __future__ import annotations

import os

from lockgate.boundary.quiet import quieted

os.environ.update(quieted({}))

import onnxruntime  # it looks into the environment now

__all__ = ["onnxruntime"]
