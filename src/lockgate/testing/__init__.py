"""State, artifacts and records in memory, a virtual clock, builders and contract checks: public, for tests of your own."""
