"""The forms of a version as the REST API answers them."""

from __future__ import annotations

from datetime import datetime

from lockgate.domain import forms
from lockgate.entrypoints.api.shapes.basics import Shape


class Form(Shape):
    """difference: the largest between an answer to a golden row and the original's. cold_start: seconds to the first answer.

    digest: of the file; of an image, of its manifest. pushed: where to; empty: nowhere.
    """

    model: str
    version: int
    form: forms.Form
    digest: str
    file: str
    size: int
    rows: int
    difference: float
    tolerance: float
    cold_start: float
    environment: str
    by: str
    at: datetime
    pushed: str
