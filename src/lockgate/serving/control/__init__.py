"""The worker's end of the control channel: route tables in, acknowledgements and observation blocks out."""
