"""Data contracts, held by Pandera."""
