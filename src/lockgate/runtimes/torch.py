"""Run PyTorch programs as `torch.export` saves them, without ever reading a pickle.

`torch.export.load` trusts its file: it reads pickles, evaluates expressions and calls whatever the graph names. So the file is
looked through first (`boundary.programs`), and PyTorch is given an archive that was written anew from what is known to be data.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import msgspec
import numpy as np
import safetensors
import torch

from lockgate.boundary.manifest import Manifest, Signature, names
from lockgate.boundary.programs import program
from lockgate.kernel.errors import Invalid
from lockgate.runtimes import frames
from lockgate.runtimes.damage import damage_as_failure
from lockgate.runtimes.failures import failing_as_runtime
from lockgate.runtimes.model import Array
from lockgate.runtimes.options import options_of
from lockgate.runtimes.outputs import Outputs
from lockgate.runtimes.package import Files

_PROGRAM, _WEIGHTS = ".pt2", ".safetensors"


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the program is called.

    inputs: "stacked", all inputs side by side as one FP32 tensor of shape (rows, values a row), or "named": each is a tensor of
    its own, for the argument of its name. method, classes: see `outputs`. threads: how many may work on one call.
    """

    inputs: Literal["stacked", "named"] = "stacked"
    method: str | tuple[str, ...] | None = None
    classes: tuple[Any, ...] | None = None
    threads: int = 1


def load(manifest: Manifest, files: Files) -> TorchModel:
    """The model of a package with one file that ends in .pt2, and one that ends in .safetensors if its weights are apart.

    Raises:
        Refused: the program may do more than compute with tensors. RuntimeFailure: it cannot be loaded.
        Invalid: the signature or the options are not the program's.
    """
    options = options_of(manifest, Options)
    with damage_as_failure():
        content = _archive(files)
    _use_threads(options.threads)
    with failing_as_runtime("torch cannot load the program"):
        exported = torch.export.load(io.BytesIO(content))
    return TorchModel(exported, manifest.signature, options)


class TorchModel:
    def __init__(self, exported: Any, signature: Signature, options: Options) -> None:
        arguments = exported.module_call_graph[0].signature.forward_arg_names or ()
        keywords = exported.call_spec.in_spec.child(1).num_children
        self._assemble = _assembler(signature, options, arguments)
        self._module = exported.module()
        self._keywords = arguments[len(arguments) - keywords :]
        self._outputs = Outputs(signature, options.method, options.classes)

    def run(self, feeds: Mapping[str, Array]) -> Sequence[Array]:
        """One array for each output of the signature, in its order.

        Raises:
            RuntimeFailure: the program raised, or its answers are not what the signature says.
        """
        with failing_as_runtime(), torch.inference_mode():
            tensors = self._assemble(feeds)
            return self._outputs.arrays(_arrays(self._call(tensors)), len(tensors[0]))

    def _call(self, tensors: tuple[torch.Tensor, ...]) -> Any:
        """As the program was exported: some arguments by place, the others by name."""
        placed = len(tensors) - len(self._keywords)
        return self._module(*tensors[:placed], **dict(zip(self._keywords, tensors[placed:], strict=True)))


def _archive(files: Files) -> bytes:
    checked = program.read(files[files.only(_PROGRAM)])
    if not checked.apart:
        return program.whole(checked, {})
    content = bytes(files[files.only(_WEIGHTS)])
    with failing_as_runtime("safetensors cannot read the weights"):
        weights = safetensors.deserialize(content)
    return program.whole(checked, {name: (one["dtype"], tuple(one["shape"]), bytes(one["data"])) for name, one in weights})


def _use_threads(threads: int) -> None:
    """For this process: it runs this package and no other."""
    torch.set_num_threads(threads)
    if torch.get_num_interop_threads() != 1:
        torch.set_num_interop_threads(1)


def _assembler(
    signature: Signature, options: Options, arguments: Sequence[str]
) -> Callable[[Mapping[str, Array]], tuple[torch.Tensor, ...]]:
    """From feeds to the program's arguments, in its order. Feeds are copied: nobody may write into them."""
    given = names(signature.inputs)
    if options.inputs == "stacked":
        if len(arguments) != 1:
            raise Invalid(
                f"the program takes {', '.join(arguments)}; one argument, which all inputs are stacked for, is expected"
            )
        matrices = frames.Matrices(signature.inputs, np.float32, {})
        return lambda feeds: (torch.from_numpy(np.array(matrices.assemble(feeds))),)
    if set(arguments) != set(given):
        raise Invalid(f"the program's arguments are {sorted(arguments)}, its signature says {sorted(given)}")
    if texts := [tensor.name for tensor in signature.inputs if tensor.datatype == "BYTES"]:
        raise Invalid(f"inputs {', '.join(texts)} are texts, which no tensor holds")
    return lambda feeds: tuple(torch.from_numpy(np.array(feeds[name])) for name in arguments)


def _arrays(answer: Any) -> Any:
    """A program gives one tensor, several, or a dictionary of them."""
    if isinstance(answer, dict):
        return {name: _array(tensor) for name, tensor in answer.items()}
    return tuple(_array(tensor) for tensor in (answer if isinstance(answer, (tuple, list)) else (answer,)))


def _array(tensor: torch.Tensor) -> Array:
    array: Array = (  # there is no BF16 in numpy
        tensor.float() if tensor.dtype == torch.bfloat16 else tensor
    ).numpy()
    return array
