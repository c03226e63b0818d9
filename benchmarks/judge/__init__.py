"""The promises of delivery in figures, one module and one table for each. `python -m benchmarks.judge` prints them all."""
