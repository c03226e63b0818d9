"""Numbers in, numbers out: tests and intervals that stay true however often one looks."""
