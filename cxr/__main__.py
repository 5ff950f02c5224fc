"""`python -m cxr`: see `cxr.cli`."""

import sys

from cxr.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
