"""LightGBM models become packages of LightGBM's own format here. Needs the extra `lightgbm`."""
