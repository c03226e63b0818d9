"""The registry as clients of MLflow and of Databricks know it, beside `/api/v1`: another language for the same use cases."""
