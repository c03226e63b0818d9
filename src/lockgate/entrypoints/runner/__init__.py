"""Runs the pipelines that watching asked for, one at a time."""
