"""On this machine: files and processes."""
