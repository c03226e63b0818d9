"""/api/v1: one file for each noun. Reading answers plain rows; writing calls the use case of the same name."""
