"""How a pipeline hands over a PyTorch module: with what its code does not say. Importing this needs no PyTorch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal

_EXAMPLES = 16  # rows: enough to export with


@dataclass(frozen=True, slots=True)
class TorchModel:
    """module: a torch.nn.Module. example: a pandas.DataFrame with a few rows of features. classes: two; None: a regressor.

    inputs: "stacked", the module takes one FP32 tensor of shape (rows, columns); "named", it takes the columns by their names,
    each of shape (rows, 1), FP32 or INT64.
    """

    module: Any
    example: Any
    classes: tuple[Any, ...] | None
    inputs: Literal["stacked", "named"]

    def predict(self, rows: Any) -> Any:
        """The score of each row of a pandas.DataFrame, shape (rows,): the positive class's probability, or the prediction.

        Raises:
            Invalid: the module cannot answer these rows, or its answers are no such scores.
        """
        return import_module("lockgate.integrations.torch.calling").original_scores(self, rows)


def torch_model(
    module: Any, example: Any, *, classes: Sequence[Any] | None, inputs: Literal["stacked", "named"] = "stacked"
) -> TorchModel:
    """A trained PyTorch module as a pipeline's model.

    module: a torch.nn.Module that answers rows with one tensor: for a classifier the probability of the second class, shape
    (rows,) or (rows, 1), or of both, (rows, 2); for a regressor the prediction. example: a pandas.DataFrame of features such as
    `split.x_train`. classes: the two labels, the positive one last; None: a regressor.
    inputs: "stacked", `forward` takes one FP32 tensor of shape (rows, columns); "named", it has an argument for each column.
    """
    return TorchModel(module, example.head(_EXAMPLES), None if classes is None else tuple(classes), inputs)
