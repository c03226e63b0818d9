"""From parcels that were delivered to a model that goes on learning: a function is a step, its parameters name what it needs."""

import pandas as pd
from lockgate import Split
from river import compose, linear_model, optim, preprocessing

LABEL = "late"
HELD_OUT = 0.25


def split(parcels: pd.DataFrame) -> Split:
    """In the order of time: what is held out came last, as it will be online."""
    features, at = parcels.drop(columns=LABEL), int(len(parcels) * (1 - HELD_OUT))
    return Split(features[:at], parcels[LABEL][:at], features[at:], parcels[LABEL][at:])


def model(split: Split, rate: float) -> compose.Pipeline:
    """It has learned row by row, as it goes on to do in Production. What it forgets, and how fast, is the rate."""
    made = preprocessing.StandardScaler() | linear_model.LogisticRegression(optim.SGD(rate))
    for row, label in zip(split.x_train.to_dict("records"), split.y_train.tolist(), strict=True):
        made.learn_one(row, label)
    return made


def evaluation(model: compose.Pipeline, split: Split) -> pd.DataFrame:
    """One row for each held-out example; further columns are slices."""
    scores = [model.predict_proba_one(row)[1] for row in split.x_test.to_dict("records")]
    return pd.DataFrame({"prediction": scores, "label": split.y_test})
