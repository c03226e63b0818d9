"""Pages rendered on the server. They only read; whoever wants to act uses the command line or the REST API."""
