"""From cells under the microscope to a model: a function is a step, its parameters name the steps, data and params it needs."""

import pandas as pd
from lockgate import Split
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import train_test_split

LABEL = "malignant"


def split(cells: pd.DataFrame) -> Split:
    features = cells.drop(columns=LABEL)
    x_train, x_test, y_train, y_test = train_test_split(features, cells[LABEL], test_size=0.4, random_state=0)
    return Split(x_train, y_train, x_test, y_test)


def model(split: Split, trees: int) -> RandomForestClassifier:
    return RandomForestClassifier(trees, random_state=0).fit(split.x_train, split.y_train)


def evaluation(model: RandomForestClassifier, split: Split) -> pd.DataFrame:
    """One row for each held-out example; further columns are slices."""
    return pd.DataFrame({"prediction": model.predict_proba(split.x_test)[:, 1], "label": split.y_test})
