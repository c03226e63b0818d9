"""Which path does what, in the order in which MLflow and Databricks document them."""
