"""Sacred's file store: a folder for each run, of JSON files that are written anew all the time.

``reader`` finds the folders and makes a run of each; start there. ``series`` is what
``metrics.json`` and ``info.json`` hold as curves, ``rows`` puts these in order, ``plain`` reads
numbers out of pickled objects, and unpickles nothing. May import ``core``, ``files``,
``readers.jsonl``, ``readers.table`` and the modules beside this folder.
"""

from runcube.readers.sacred.reader import SacredReader

__all__ = ["SacredReader"]
