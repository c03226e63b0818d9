"""What a worker remembers of its answers: tallies, blocks, records, labels, figures."""
