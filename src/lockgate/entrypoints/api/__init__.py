"""The control plane's HTTP: the REST API, the workers' control channel, health and metrics."""
