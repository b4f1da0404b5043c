"""Run the command line with ``python -m shiftlab``."""

import sys

from shiftlab.cli import main

if __name__ == "__main__":
    sys.exit(main())
