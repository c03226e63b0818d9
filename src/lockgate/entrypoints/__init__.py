"""The ways in: command line, HTTP, pages, and the loops that run by themselves."""
