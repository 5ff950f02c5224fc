"""The command line: `python -m cxr`."""
