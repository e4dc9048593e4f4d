"""CSV: a table with a line of names, one run a file, its configuration beside it or in its path.

``rows`` takes bytes to rows of cells: separators, quotes, the line of names and others behind it.
``cells`` judges what a cell is, ``records`` writes rows as JSON lines, each on the line where it
was, and from there on a log goes the way of ``readers.jsonl``. ``tables`` chooses which of several
tables in a folder is the log. Start in ``reader``. May import ``core``, ``files``,
``readers.jsonl`` and the modules beside this folder.
"""

from runcube.readers.csv.reader import CsvReader

__all__ = ["CsvReader"]
