import sys
from pathlib import Path

import pandas as pd

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from pipeline import split


def test_nothing_held_out_is_learned_from():
    parts = split(pd.read_csv(ROOT / "data" / "cells.csv"))
    assert not set(parts.x_train.index) & set(parts.x_test.index)
