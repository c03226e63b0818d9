"""Runs the pipelines that something asked for: a finding's trigger, or a call of the API. One at a time."""
