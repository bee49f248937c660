"""The verbs of the `eras` command, a module each.

A verb offers `add_arguments(parser)` and `run(options) -> exit code`; its docstring is its help.
"""
