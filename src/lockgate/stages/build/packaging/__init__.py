"""What goes into a model package, and how it is known to say what the original model says."""
