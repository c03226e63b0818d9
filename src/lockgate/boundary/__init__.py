"""All that the control plane and the data plane share. Neither imports the other; both import this."""
