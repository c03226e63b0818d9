"""The pipeline: its graph, what each step's output depends on, what would run, and in which order."""
