"""One worker's inside: which version answers a request, what it answers, and what is counted of it."""
