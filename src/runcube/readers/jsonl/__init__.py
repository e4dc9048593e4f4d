"""Any JSON lines: one or several runs a file, whose columns are known by what they hold.

``source`` takes a log to headers and runs; start there. ``column_roles`` decides which column is
what, ``log`` holds a log so decided, ``x_columns`` and ``runs`` make curves of it; ``reader`` finds
the files. Ray's layout and the newer native one use ``source`` as well. May import ``core``,
``files``, ``readers.table`` and the modules beside this folder.
"""

from runcube.readers.jsonl.column_roles import Options
from runcube.readers.jsonl.log import Log
from runcube.readers.jsonl.reader import JsonlReader
from runcube.readers.jsonl.source import differing_keys, read_headers, read_log

__all__ = ["JsonlReader", "Log", "Options", "differing_keys", "read_headers", "read_log"]
