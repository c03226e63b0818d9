"""Known vulnerabilities without a network: an export of the OSV database."""
