"""PyTorch modules: exported for any number of rows, their weights apart, the same bytes each time."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lockgate.kernel.errors import Invalid, Refused
from tests.integration.packaging.examples import FRAME, LATE, MINUTES, NUMBERS, TRAIN, split
from tests.integration.packaging.made import asked, check_golden, packed

if os.environ.get("CI") == "true":
    import safetensors
    import torch
else:
    torch = pytest.importorskip("torch")
    safetensors = pytest.importorskip("safetensors")

from lockgate.integrations.torch.model import torch_model
from lockgate.integrations.torch.native import PROGRAM_FILE, WEIGHTS_FILE

EXAMPLES = split(FRAME[NUMBERS])


class Layers(torch.nn.Module):  # type: ignore[misc]
    def __init__(self, last: Any = None) -> None:
        super().__init__()
        torch.manual_seed(5)
        self.body = torch.nn.Sequential(
            torch.nn.BatchNorm1d(3), torch.nn.Linear(3, 8), torch.nn.ReLU(), torch.nn.Dropout(0.5), torch.nn.Linear(8, 1)
        )
        self.last = last or torch.nn.Sigmoid()

    def forward(self, rows: Any) -> Any:
        return self.last(self.body(rows)).squeeze(-1)


class Embedded(torch.nn.Module):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(6)
        self.hours = torch.nn.Embedding(24, 4)
        self.last = torch.nn.Linear(6, 2)

    def forward(self, hour: Any, distance: Any, wind: Any) -> Any:
        return self.last(torch.cat([self.hours(hour.flatten()), distance / 1000, wind], dim=1)).softmax(-1)


def trained(module: Any) -> Any:
    """A few steps, so that normalisation has seen data."""
    rows, labels = torch.tensor(EXAMPLES.x_train.to_numpy(dtype=np.float32)), torch.tensor(LATE[:TRAIN].to_numpy()).float()
    optimizer = torch.optim.SGD(module.parameters(), lr=0.01)
    for _ in range(5):
        optimizer.zero_grad()
        torch.nn.functional.mse_loss(module(rows), labels).backward()
        optimizer.step()
    return module


@pytest.mark.parametrize(
    ("make", "inputs"),
    [pytest.param(lambda: trained(Layers()), "stacked", id="stacked"), pytest.param(Embedded, "named", id="named")],
)
def test_the_data_plane_says_what_the_module_says(make: Callable[[], Any], inputs: Any, tmp_path: Path) -> None:
    model = torch_model(make(), EXAMPLES.x_train, classes=(0, 1), inputs=inputs)
    made = packed(model, EXAMPLES, model.predict(EXAMPLES.x_test))
    assert made.runtime == "torch"
    assert made.options["inputs"] == inputs
    check_golden(made, tmp_path)


def test_a_regressor_answers_as_it_did(tmp_path: Path) -> None:
    examples = split(FRAME[NUMBERS], MINUTES)
    model = torch_model(Layers(torch.nn.Identity()), examples.x_train, classes=None)
    made = packed(model, examples, model.predict(examples.x_test))
    assert [tensor.name for tensor in made.signature.outputs] == ["prediction"]
    check_golden(made, tmp_path)


def test_a_module_that_is_still_training_answers_as_it_will_and_goes_on_training() -> None:
    module = trained(Layers())
    model = torch_model(module.train(), EXAMPLES.x_train, classes=(0, 1))
    first = model.predict(EXAMPLES.x_test)
    assert module.training
    np.testing.assert_array_equal(first, model.predict(EXAMPLES.x_test), err_msg="dropout is off")


def test_weights_are_apart_and_two_versions_share_their_graph() -> None:
    one, two = (
        torch_model(Layers(), EXAMPLES.x_train, classes=(0, 1)),
        torch_model(trained(Layers()), EXAMPLES.x_train, classes=(0, 1)),
    )
    first, second = (packed(model, EXAMPLES, model.predict(EXAMPLES.x_test)) for model in (one, two))
    assert first.files[PROGRAM_FILE] == second.files[PROGRAM_FILE]
    names = {name for name, _ in safetensors.deserialize(first.files[WEIGHTS_FILE])}
    assert names == set(dict(Layers().state_dict()))
    assert first.files[WEIGHTS_FILE] != second.files[WEIGHTS_FILE]


def test_nothing_in_the_bytes_says_where_they_were_made() -> None:
    made = packed(model := torch_model(Layers(), EXAMPLES.x_train, classes=(0, 1)), EXAMPLES, model.predict(EXAMPLES.x_test))
    assert not any(str(Path(__file__).parent).encode() in content for content in made.files.values())
    assert not any(sys.prefix.encode() in content for content in made.files.values())
    assert made.files == packed(model, EXAMPLES, model.predict(EXAMPLES.x_test)).files


def test_weights_of_another_shape_are_refused(tmp_path: Path) -> None:
    made = packed(model := torch_model(Layers(), EXAMPLES.x_train, classes=(0, 1)), EXAMPLES, model.predict(EXAMPLES.x_test))
    other = dict(Layers().state_dict()) | {"body.1.weight": torch.zeros(8, 4)}
    made.files[WEIGHTS_FILE] = safetensors.torch.save(other)
    said = asked(made, tmp_path)
    assert said.error == "weight body.1.weight is F32 of shape [8, 4], the program takes F32 of shape [8, 3]"


# Refusals


class Branching(Layers):
    def forward(self, rows: Any) -> Any:
        answer = super().forward(rows)
        return answer if answer.sum() > 0 else -answer


class Wide(Layers):
    def forward(self, rows: Any) -> Any:
        return torch.stack([super().forward(rows)] * 3, dim=1)


def refusal(model: Any, expected: type[Exception] = Invalid) -> str:
    with pytest.raises(expected) as caught:
        packed(model, EXAMPLES, np.full(len(FRAME) - TRAIN, 0.5))
    return str(caught.value)


def declared(module: Any, classes: Any = (0, 1), **options: Any) -> Any:
    return torch_model(module, EXAMPLES.x_train, classes=classes, **options)


def test_a_module_that_was_not_declared_says_how() -> None:
    with pytest.raises(Invalid) as caught:
        packed(Layers(), EXAMPLES, np.full(len(FRAME) - TRAIN, 0.5))
    assert "lockgate.torch_model(module" in str(caught.value.hint)


def test_a_module_that_cannot_be_exported_is_refused_with_the_reason() -> None:
    assert refusal(declared(Branching())).startswith("Branching cannot be exported: ")


def test_logits_are_no_probabilities() -> None:
    assert "a classifier's scores are probabilities" in refusal(declared(Layers(torch.nn.Identity())))


def test_several_numbers_a_row_are_no_score() -> None:
    assert "shape [400, 3], one score for each row expected" in refusal(declared(Wide()))


def test_texts_are_refused_by_the_columns_name() -> None:
    examples = split(FRAME[["carrier", "wind"]])
    with pytest.raises(Invalid, match="carrier: str found, numbers expected"):
        packed(torch_model(Layers(), examples.x_train, classes=(0, 1)), examples, np.full(len(FRAME) - TRAIN, 0.5))


def test_arguments_are_named_as_columns() -> None:
    assert "forward takes rows; the columns are hour, distance, wind" in refusal(declared(Layers(), inputs="named"))


class Drawing(Layers):
    def forward(self, rows: Any) -> Any:
        return super().forward(rows) + torch.rand(rows.shape[0]) * 0


def test_operations_that_draw_random_numbers_are_refused_by_name() -> None:
    assert "the program calls 'torch.ops.aten.rand.default', which is none of the tensor" in refusal(declared(Drawing()), Refused)
