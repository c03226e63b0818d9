"""A PyTorch module as an exported program: a graph of tensor operations, and its weights as safetensors. No code, no pickle."""

from __future__ import annotations

import copy
import io
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import safetensors.torch
import torch

from lockgate.boundary.programs import program
from lockgate.integrations.torch.calling import arguments, original_scores, scores
from lockgate.integrations.torch.model import TorchModel
from lockgate.kernel.errors import Invalid
from lockgate.ports.natives import Native

RUNTIME = "torch"
PROGRAM_FILE, WEIGHTS_FILE = "model.pt2", "weights.safetensors"
_HINT = "Write forward with tensor operations only: no branches on values, and nothing that depends on how many rows there are."


def native(model: Any, categories: Mapping[str, Sequence[Any]], dtypes: Mapping[str, str]) -> Native:
    """The module, exported for any number of rows.

    Raises:
        Invalid: it was not declared, or cannot be exported. Refused: it does more than compute with tensors.
    """
    del categories, dtypes
    if not isinstance(model, TorchModel):
        raise Invalid(
            f"{type(model).__name__} of PyTorch found; what it takes and answers is not said",
            hint="Return lockgate.torch_model(module, split.x_train, classes=(0, 1)) from the step named in `model`.",
        )
    exported = _exported(model)
    content, apart = program.prepare(_saved(exported))
    weights = safetensors.torch.save({name: exported.state_dict[name].detach().clone() for name in sorted(apart)})
    again = _loaded(content, weights)
    return Native(
        runtime=RUNTIME,
        files={PROGRAM_FILE: content} | ({WEIGHTS_FILE: weights} if apart else {}),
        classes=model.classes,
        options={"inputs": model.inputs},
        environment={"torch": torch.__version__, "numpy": np.__version__},
        original=lambda rows: original_scores(model, rows),
        again=lambda rows: scores(again, model, rows),
    )


def _exported(model: TorchModel) -> Any:
    module = copy.deepcopy(model.module).cpu().eval()
    given = arguments(model, model.example)
    many = tuple({0: torch.export.Dim.DYNAMIC} for _ in given)
    try:
        return _quietly(lambda: torch.export.export(module, given, dynamic_shapes=many))
    except Exception as error:
        # What the exporter trips over has no common type; to the reader it is all one: this module cannot be exported.
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise Invalid(f"{type(module).__name__} cannot be exported: {reason}", hint=_HINT) from error


def _saved(exported: Any) -> bytes:
    buffer = io.BytesIO()
    _quietly(lambda: torch.export.save(exported, buffer))
    return buffer.getvalue()


def _loaded(content: bytes, weights: bytes) -> Any:
    tensors = {name: (one["dtype"], tuple(one["shape"]), bytes(one["data"])) for name, one in safetensors.deserialize(weights)}
    whole = program.whole(program.read(content), tensors)
    return _quietly(lambda: torch.export.load(io.BytesIO(whole))).module()


def _quietly(do: Callable[[], Any]) -> Any:
    """Exporting warns of much that is its authors' matter, not our reader's."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return do()
