"""The command ``runcube``.

``commands`` has one function for each command; start there. ``options`` reads their arguments,
``select`` reads selections from text, ``render`` draws tables, ``watch`` sums up a sweep in
progress. May import ``archive``, ``pipeline``, ``cube`` and what they may; nothing imports it.
"""

from runcube.cli.commands import main

__all__ = ["main"]
