"""From the airline's flights to a model: each function is a step, its parameters name the steps, data and params it needs."""

import pandas as pd
from lockgate import Split
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

from features import CATEGORIES, FEATURES, NUMBERS, features

LATE = 15  # minutes


def examples(flights: pd.DataFrame, months: list[int]) -> pd.DataFrame:
    frame = features(flights)
    frame["late"] = (flights["arrival_delay"].to_numpy() > LATE).astype(int)
    known = flights["arrival_delay"].notna().to_numpy()
    wanted = flights["month"].isin(months or range(1, 13)).to_numpy()
    frame = frame[known & wanted]
    return frame[~frame.index.duplicated()]


def split(examples: pd.DataFrame) -> Split:
    """One flight in five is held out, by a hash of its name: the same ones in every version."""
    held_out = pd.util.hash_array(examples.index.to_numpy(object), categorize=False) % 5 == 0
    train, test = examples[~held_out], examples[held_out]
    return Split(train[FEATURES], train["late"], test[FEATURES], test["late"])


def model(split: Split, learner: str) -> Pipeline:
    return (_logistic() if learner == "logistic" else _trees()).fit(split.x_train, split.y_train)


def evaluation(model: Pipeline, split: Split) -> pd.DataFrame:
    scores = model.predict_proba(split.x_test)[:, 1]
    return pd.DataFrame({"prediction": scores, "label": split.y_test, "origin": split.x_test["origin"]})


def _logistic() -> Pipeline:
    prepared = ColumnTransformer(
        [("categories", OneHotEncoder(handle_unknown="ignore"), CATEGORIES), ("numbers", StandardScaler(), NUMBERS)]
    )
    return Pipeline([("prepared", prepared), ("learner", LogisticRegression(max_iter=300))])


def _trees() -> Pipeline:
    codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    prepared = ColumnTransformer([("categories", codes, CATEGORIES), ("numbers", "passthrough", NUMBERS)])
    learner = HistGradientBoostingClassifier(
        max_iter=120,
        learning_rate=0.08,
        max_leaf_nodes=15,
        min_samples_leaf=80,
        l2_regularization=1.0,
        early_stopping=False,
        random_state=0,
    )
    return Pipeline([("prepared", prepared), ("learner", learner)])
