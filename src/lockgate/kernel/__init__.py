"""What every floor may use: time, ids, errors, digests, state machines, logs. Standard library only, no domain."""
