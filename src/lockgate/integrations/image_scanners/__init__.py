"""Programs that look for known vulnerabilities in images, where they are installed."""
