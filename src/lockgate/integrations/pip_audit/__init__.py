"""Known vulnerabilities by asking: pip-audit, a program of the Python Packaging Authority."""
