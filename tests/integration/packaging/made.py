"""A package that was made, and what the data plane says of its golden rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lockgate import Split
from lockgate.boundary.manifest import encode
from lockgate.domain.packages import Packaged
from lockgate.integrations.local.artifacts import LocalArtifacts
from lockgate.integrations.sklearn.package import package
from lockgate.ports.executor import Packing
from lockgate.serving.isolation.ask import Answer, Question, answer
from lockgate.wiring.pipelines import NATIVES
from tests.integration.packaging.examples import stored

AUTO = Packing(natives=NATIVES)


def packed(model: Any, examples: Split, scores: Any, packing: Packing = AUTO) -> Packaged:
    frame = pd.DataFrame({"prediction": np.asarray(scores), "label": examples.y_test}, index=examples.x_test.index)
    return package(model, examples, frame, None, packing)


def asked(made: Packaged, folder: Path) -> Answer:
    """Here and not in a process of its own, which would take seconds for each."""
    manifest, store = stored(made)[2], LocalArtifacts(folder)
    for content in made.files.values():
        store.put(content)
    return answer(Question(str(folder), store.put(encode(manifest)), manifest.golden.inputs, 60.0, ""))


def check_golden(made: Packaged, folder: Path) -> None:
    said = asked(made, folder)
    assert said.error is None
    assert said.scores is not None
    np.testing.assert_allclose(said.scores, made.golden.scores, atol=made.golden.tolerance, rtol=0)
