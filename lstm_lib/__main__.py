"""`python -m lstm_lib` is the command `lstm-lib`."""

import sys

from lstm_lib.command import main

if __name__ == "__main__":
    sys.exit(main())
