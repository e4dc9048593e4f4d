"""The command ``runcube``.

``commands`` has one function for each command; start there. ``page`` has the one of ``report``,
``logs`` what a command is given to read, ``options`` reads arguments,
``select`` reads selections from text, ``render`` draws tables, ``watch`` sums up a sweep in
progress, ``launch`` writes what is missing for a launcher, ``errors`` is how a command fails.
May import ``core``, ``files``, ``plan``, ``cube``, ``report``, ``pipeline`` and ``archive``.
"""

from runcube.cli.commands import main

__all__ = ["main"]
