"""One verb phrase in each file: they carry commands to the ports and events back."""
