"""Exported PyTorch programs (.pt2): which of them are data, and which could run something else than tensor operations."""
