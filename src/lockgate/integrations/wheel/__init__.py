"""Versions as wheels: a model that a program lists among its dependencies."""
