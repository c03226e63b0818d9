"""Models that MLflow saved become packages here. Needs the extra `mlflow`, but for declaring them (`model`)."""
