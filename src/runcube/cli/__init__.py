"""The command ``runcube``.

``commands`` has one function for each command, ``statistics`` those that ask what seeds can say,
``page`` the one of ``report``; start there. ``options`` reads their arguments, ``logs`` their logs,
``select`` selections from text. ``render`` draws tables, ``findings`` puts statistics in words,
``watch`` sums up a sweep in progress, ``launch`` writes what is missing for a launcher, ``errors``
is how a command fails. May import ``core``, ``files``, ``plan``, ``cube``, ``stats``, ``tables``,
``report``, ``pipeline`` and ``archive``.
"""

from runcube.cli.commands import main

__all__ = ["main"]
