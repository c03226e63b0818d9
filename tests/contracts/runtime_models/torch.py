"""Programs as torch.export makes them: columns by name, all columns in one tensor, and pictures with two answers."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch

from lockgate.boundary.manifest import Tensor
from lockgate.boundary.programs import program
from tests.contracts.runtime_models import flights
from tests.contracts.runtime_models.fixture import Fixture, Made, columns, fixture

LIBRARY = "torch"
ROWS = 60


class Named(torch.nn.Module):  # type: ignore[misc]
    """An embedding of the hour, which raises on the 99th hour of a day."""

    def __init__(self) -> None:
        super().__init__()
        self.hours = torch.nn.Embedding(24, 3)
        self.last = torch.nn.Linear(5, 2)

    def forward(self, hour: Any, distance: Any, wind: Any) -> Any:
        return self.last(torch.cat([self.hours(hour.flatten()), distance / 1000, wind], dim=1)).softmax(-1)


class Stacked(torch.nn.Module):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.body = torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.ReLU(), torch.nn.BatchNorm1d(8), torch.nn.Linear(8, 1))
        self.register_buffer("scale", torch.tensor([12.0, 1000.0, 1.0]))

    def forward(self, rows: Any) -> Any:
        return torch.sigmoid(self.body(rows / self.scale)).squeeze(-1)


class Pictures(torch.nn.Module):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.convolution = torch.nn.Conv2d(1, 4, 3)

    def forward(self, picture: Any) -> Any:
        seen = self.convolution(picture).relu()
        return {"brightness": picture.mean((1, 2, 3)), "map": seen.flatten(1)[:, :5]}


def exported(module: Any, *examples: Any) -> Any:
    many = tuple({0: torch.export.Dim.DYNAMIC} for _ in examples)
    return torch.export.export(module.eval(), examples, dynamic_shapes=many)


def saved(exported_program: Any) -> bytes:
    buffer = io.BytesIO()
    torch.export.save(exported_program, buffer)
    return buffer.getvalue()


def files_of(exported_program: Any) -> dict[str, bytes]:
    content, apart = program.prepare(saved(exported_program))
    weights = {name: exported_program.state_dict[name].detach() for name in apart}
    return {"model.pt2": content, "weights.safetensors": safetensors.torch.save(weights)}


def make(folder: Path) -> Fixture:
    torch.manual_seed(1)
    given = flights.frame()[flights.NUMBERS][:ROWS]
    tensors = [torch.tensor(given[name].to_numpy().reshape(-1, 1)) for name in flights.NUMBERS]
    tensors[1:] = [tensor.float() for tensor in tensors[1:]]
    module = Named().eval()
    with torch.inference_mode():
        probabilities = module(*tensors).numpy()
    inputs = (*columns("hour", "INT64"), *columns("distance wind", "FP32"))
    outputs = ((flights.CLASSIFIED[0], probabilities.argmax(axis=1)), (flights.CLASSIFIED[1], probabilities))
    options = {"inputs": "named", "method": ["argmax", "predict_proba"], "classes": [0, 1]}
    rows = flights.rows(given, ROWS)
    made = Made("torch", files_of(exported(module, *tensors)), inputs, outputs, rows, options, score_column=1)
    return fixture(folder, made, raising={**{name: values[:1] for name, values in rows.items()}, "hour": [99]}, tolerance=1e-6)


def stacked(folder: Path) -> Fixture:
    """Booleans and whole numbers become floats on the way."""
    torch.manual_seed(2)
    given = flights.frame()[flights.NUMBERS][:ROWS]
    rows = torch.tensor(given.to_numpy(dtype=np.float32))
    module = Stacked().eval()
    with torch.inference_mode():
        probability = module(rows).numpy()
    inputs = (*columns("hour", "INT64"), *columns("distance wind", "FP32"))
    outputs = ((flights.CLASSIFIED[1], np.column_stack([1 - probability, probability])),)
    made = Made(
        "torch", files_of(exported(module, rows)), inputs, outputs, flights.rows(given, ROWS), {"method": "predict_proba"}
    )
    return fixture(folder, made, knows_names=False, tolerance=1e-6)


def pictures(folder: Path) -> Fixture:
    torch.manual_seed(3)
    given = torch.rand(8, 1, 6, 6)
    module = Pictures().eval()
    with torch.inference_mode():
        answers = module(given)
    inputs = (Tensor("picture", "FP32", (-1, 1, 6, 6)),)
    outputs = (
        (Tensor("map", "FP32", (-1, 5)), answers["map"].numpy()),
        (Tensor("brightness", "FP32", (-1,)), answers["brightness"].numpy()),
    )
    rows = {"picture": given.flatten().tolist()}
    made = Made("torch", files_of(exported(module, given)), inputs, outputs, rows, {"inputs": "named"})
    return fixture(folder, made, tolerance=1e-6)


MAKERS = (make, stacked, pictures)
