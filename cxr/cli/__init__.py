"""The command line: one module per command, listed in `main.py`.

The module of a command has two functions. `add_parser(commands)` adds the command's parser and sets
its default `requirements`, the requirements file that the command needs. `run(options)` carries out
the command and returns the exit status; only it imports the rest of the program.
"""
