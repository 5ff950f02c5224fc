"""The command line: one module per command. They import the rest of the program when they run."""
