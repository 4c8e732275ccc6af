"""The commands, one module per topic: each has its arguments, what it runs, and how the answer is told.

The modules import nothing heavy at the top, so that `loader --help` is quick: what a command needs
(settings, the flow, rich) it imports when it runs.
"""
