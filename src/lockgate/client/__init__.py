"""For programs that use models: follow a channel, and answer by what it says."""
