"""Processes that run models: what is not trusted, or not quick enough, for the worker itself."""
