import sys
from pathlib import Path

import pandas as pd

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from pipeline import split
from stream import parcel


def test_what_is_held_out_came_after_all_that_is_learned_from():
    parts = split(pd.read_csv(ROOT / "data" / "parcels.csv"))
    assert parts.x_train.index.max() < parts.x_test.index.min()


def test_the_stream_goes_on_where_the_data_ends():
    data = pd.read_csv(ROOT / "data" / "parcels.csv")
    inputs, late = parcel(len(data) - 1)
    assert data.iloc[-1].to_dict() == {**inputs, "late": late}
    assert set(inputs) == set(data.columns) - {"late"}
