"""MLflow: save the model in MLflow's format, which `mlflow models serve` then serves. `mlflow_model.py MODEL FOLDER`."""

from __future__ import annotations

import sys

import joblib
import mlflow.sklearn

if __name__ == "__main__":
    model = joblib.load(sys.argv[1])
    trusted = ["sklearn.tree._tree.Tree"]  # what a forest is made of; MLflow stores models by skops and asks for a name
    mlflow.sklearn.save_model(
        model,
        sys.argv[2],
        pyfunc_predict_fn="predict_proba",
        pip_requirements=["scikit-learn"],
        skops_trusted_types=trusted,
    )
