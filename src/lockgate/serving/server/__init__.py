"""The processes of the data plane: a supervisor that holds the port, and workers that answer on it."""
