"""Load model packages, verified, and run them."""
