"""The story of the README, told on the flights of 2013 by real processes: `python -m demo`."""
