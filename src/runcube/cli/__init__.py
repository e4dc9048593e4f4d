"""The command ``runcube``.

``commands`` has one function a command; start there. ``options`` reads their arguments, ``select``
spells selections, ``render`` draws tables, ``watch`` sums up a sweep in progress. May import
``archive``, ``pipeline``, ``cube`` and what they may; nobody imports it.
"""

from runcube.cli.commands import main

__all__ = ["main"]
