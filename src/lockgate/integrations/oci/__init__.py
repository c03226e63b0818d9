"""Container images without a daemon: what they are made of, how they are built, told to registries, and asked."""
