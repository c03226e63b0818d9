"""What the use cases need of the world: one Protocol in each file."""
