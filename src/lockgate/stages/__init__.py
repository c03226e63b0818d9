"""The journey: pure decisions. A stage takes state, event and time, and returns new state and commands."""
