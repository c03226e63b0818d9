"""What scanners say of known weaknesses, read and put into one form. Nothing here asks anybody."""
