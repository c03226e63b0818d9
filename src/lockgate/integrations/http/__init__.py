"""Requests to receivers that somebody named: none of them may lead into the network that this machine stands in."""
