"""Islands: each imports one vendor's library, or one part of the machine, and implements ports with it."""
