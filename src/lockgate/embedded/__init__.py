"""A model inside somebody else's program: what a wheel carries. The standard library and NumPy, and what runs the model."""
