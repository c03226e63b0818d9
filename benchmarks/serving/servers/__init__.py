"""What peers run, each in its own environment and as its documentation shows it. Nothing here imports the project."""
