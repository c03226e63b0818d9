"""PyTorch modules become exported programs here. Needs the extra `torch`, but for declaring them (`model`)."""
