"""`python -m lockgate.entrypoints.cli`: the command line where no launcher is installed."""

import sys

from lockgate.entrypoints.cli import main

if __name__ == "__main__":
    sys.exit(main())
